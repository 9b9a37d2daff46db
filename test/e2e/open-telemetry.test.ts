import { afterAll, beforeAll, expect, test } from 'vitest';
import { MessageType } from '../../src/protocols/grpc/proto.js';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { OtlpReceiver, type ReceivedSpan } from '../telemetry/trace/otlp-receiver.js';
import { ensembleFiles } from './ensembles.js';
import { ask, infer, outputsOf, simpleInputs, simpleOutputs } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';

const callerId = '00f067aa0ba902b7';
let lastTrace = 0;
/** Of a caller that is traced: a trace of its own for each. */
function newCaller(): { traceId: string; traceparent: string } {
  lastTrace++;
  const traceId = lastTrace.toString(16).padStart(32, '4');
  return { traceId, traceparent: `00-${traceId}-${callerId}-01` };
}

const twice = {
  maxBatchSize: 8,
  inputs: ['INPUT0 INT32 16', 'INPUT1 INT32 16'],
  outputs: ['SUM INT32 16'],
  steps: [
    'simple INPUT0=INPUT0 INPUT1=INPUT1 -> OUTPUT0=sum OUTPUT1=difference',
    'simple INPUT0=sum INPUT1=difference -> OUTPUT0=SUM',
  ],
};

function flagsFor(url: string): string[] {
  const config = ['mode=opentelemetry', 'level=TIMESTAMPS', 'rate=0', `opentelemetry,url=${url}`];
  return [...config, 'opentelemetry,bsp_schedule_delay=5'].map((text) => `--trace-config=${text}`);
}

onEachEngine((engine) => {
  const grpcEngine = engine === 'uws' ? 'grpc-js' : 'conch';
  let receiver: OtlpReceiver;
  let server: ServerProcess;
  let grpc: BytesClient;

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    const flags = [...flagsFor(receiver.url), `--grpc-engine=${grpcEngine}`];
    server = await ServerProcess.start({ engine, models: ['simple'], files: ensembleFiles({ twice }), flags });
    grpc = new BytesClient(server.grpcPort);
  });

  afterAll(async () => {
    grpc.close();
    await server.stop();
    await receiver.stop();
  });

  /** All of a trace, once there are so many. */
  async function spansOf(traceId: string, count: number): Promise<Map<string, ReceivedSpan[]>> {
    const found = () => receiver.spans.filter((span) => span.traceId === traceId);
    await receiver.until(() => found().length >= count);
    const byName = new Map<string, ReceivedSpan[]>();
    for (const span of found()) byName.set(span.name, [...(byName.get(span.name) ?? []), span]);
    return byName;
  }

  function expectInOrder(spans: Map<string, ReceivedSpan[]>): void {
    const all = [...spans.values()].flat();
    for (const span of all) {
      const times = [span.startNs, ...span.events.map(({ ns }) => ns), span.endNs];
      expect(times).toEqual([...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
      const parent = all.find(({ spanId }) => spanId === span.parentId);
      if (parent !== undefined) expect(parent.startNs <= span.startNs && span.endNs <= parent.endNs).toBe(true);
    }
  }

  test('HTTP: the caller is the parent of the request', async () => {
    const { traceId, traceparent } = newCaller();
    const headers = { traceparent, tracestate: 'vendor=value' };
    const answer = await ask(server.httpPort, infer('simple', simpleInputs(1), { headers, head: { id: 'mine' } }));
    expect(outputsOf(answer)).toEqual(simpleOutputs(1));
    const spans = await spansOf(traceId, 4);
    const [root, model] = [spans.get('InferRequest')![0]!, spans.get('simple')![0]!];
    expect(root).toMatchObject({ parentId: callerId, traceState: 'vendor=value', kind: 2 });
    expect(model).toMatchObject({ parentId: root.spanId, attributes: { 'triton.request_id': 'mine' } });
    for (const name of ['queue', 'compute']) expect(spans.get(name)![0]!.parentId).toBe(model.spanId);
    expect(Math.abs(Number(root.startNs / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    expectInOrder(spans);
  });

  test('gRPC: the caller is the parent of the request', async () => {
    const { traceId, traceparent } = newCaller();
    const input = { datatype: 'INT32', shape: [1, 16] };
    const message = new MessageType('inference.ModelInferRequest').encode({
      model_name: 'simple',
      inputs: [
        { name: 'INPUT0', ...input },
        { name: 'INPUT1', ...input },
      ],
      raw_input_contents: [Buffer.alloc(64), Buffer.alloc(64)],
    });
    const path = '/inference.GRPCInferenceService/ModelInfer';
    expect(await grpc.unary(path, message, { metadata: { traceparent } })).toMatchObject({ code: 0 });
    const spans = await spansOf(traceId, 4);
    expect(spans.get('InferRequest')![0]!.parentId).toBe(callerId);
    expectInOrder(spans);
  });

  test('the models of the steps are in the ensemble', async () => {
    const { traceId, traceparent } = newCaller();
    const answer = await ask(server.httpPort, infer('twice', simpleInputs(1), { headers: { traceparent } }));
    expect(answer.status).toBe(200);
    const spans = await spansOf(traceId, 8);
    const ensemble = spans.get('twice')![0]!;
    expect(spans.get('simple')!.map(({ parentId }) => parentId)).toEqual([ensemble.spanId, ensemble.spanId]);
    expect(spans.get('compute')!.length).toBe(2);
    expectInOrder(spans);
  });

  test('nobody else is traced at a rate of 0', async () => {
    const before = receiver.spans.length;
    await ask(server.httpPort, infer('simple', simpleInputs(1)));
    const { traceId, traceparent } = newCaller();
    await ask(server.httpPort, infer('simple', simpleInputs(1), { headers: { traceparent } }));
    await spansOf(traceId, 4);
    expect(receiver.spans.length).toBe(before + 4);
  });
});

test('a receiver that is away does not harm requests, nor the end of the server', async () => {
  const receiver = await OtlpReceiver.start();
  const { url } = receiver;
  await receiver.stop();
  const server = await ServerProcess.start({ models: ['simple'], flags: flagsFor(url) });
  for (let i = 0; i < 50; i++) {
    const headers = { traceparent: newCaller().traceparent };
    const answer = await ask(server.httpPort, infer('simple', simpleInputs(i), { headers }));
    expect(outputsOf(answer)).toEqual(simpleOutputs(i));
  }
  await server.stop();
});
