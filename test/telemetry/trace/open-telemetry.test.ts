import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { monotonicUs } from '../../../src/base/clock.js';
import { type Log, silentLog } from '../../../src/base/log.js';
import { OpenTelemetryWriter } from '../../../src/telemetry/trace/open-telemetry.js';
import { defaultTraceSettings } from '../../../src/telemetry/trace/settings.js';
import type { Activity, Trace } from '../../../src/telemetry/trace/trace.js';
import { Tracing } from '../../../src/telemetry/trace/tracing.js';
import { OtlpReceiver, type ReceivedSpan } from './otlp-receiver.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const callerId = '00f067aa0ba902b7';
const parentContext = { traceparent: `00-${traceId}-${callerId}-01`, tracestate: 'vendor=value' };

/** Nanoseconds between two activities of these tests. */
const STEP_NS = 1000;

function stampAll(trace: Trace, startNs: number, activities: readonly Activity[]): void {
  activities.forEach((activity, index) => {
    trace.stamp(activity, startNs + index * STEP_NS);
  });
}

const computed: readonly Activity[] = [
  'COMPUTE_START',
  'COMPUTE_INPUT_END',
  'COMPUTE_OUTPUT_START',
  'COMPUTE_END',
  'REQUEST_END',
];

describe('spans', () => {
  let receiver: OtlpReceiver;
  let writer: OpenTelemetryWriter;
  let tracing: Tracing;
  let lines: string[];

  const log: Log = { ...silentLog, warning: (line) => lines.push(line), info: (line) => lines.push(line) };

  beforeEach(async () => {
    lines = [];
    receiver = await OtlpReceiver.start();
    writer = new OpenTelemetryWriter(
      {
        url: receiver.url,
        resource: new Map([
          ['service.name', 'mine'],
          ['zone', 'b'],
        ]),
        maxQueueSize: 100,
        scheduleDelayMs: 3_600_000,
        maxExportBatchSize: 50,
      },
      log,
    );
    const settings = { ...defaultTraceSettings, levels: ['TIMESTAMPS'], rate: 1, mode: 'opentelemetry' } as const;
    tracing = new Tracing({ settings, writer, exportSettings: {} });
  });

  afterEach(async () => {
    await tracing.close();
    await receiver.stop();
  });

  const named = (name: string): ReceivedSpan => receiver.spans.find((span) => span.name === name)!;

  function traceOne(requestId = '', context: typeof parentContext | null = null): Trace {
    const trace = tracing.begin('simple', 3, requestId, context)!;
    stampAll(trace, monotonicUs() * 1000, ['HTTP_RECV_START', 'REQUEST_START', 'QUEUE_START', ...computed]);
    trace.end();
    return trace;
  }

  test('a request, its model, its wait and its computation, in order', async () => {
    const trace = traceOne('r1');
    await writer.flush();
    const spans = receiver.spans;
    expect(spans.map(({ name }) => name).sort()).toEqual(['InferRequest', 'compute', 'queue', 'simple']);
    const [root, model, queue, compute] = ['InferRequest', 'simple', 'queue', 'compute'].map(named);
    expect([root, model, queue, compute].map((span) => span!.parentId)).toEqual([
      '',
      root!.spanId,
      model!.spanId,
      model!.spanId,
    ]);
    for (const span of spans) {
      expect(span).toMatchObject({ traceId: root!.traceId, kind: 2, scope: 'triton-server', traceState: '' });
      expect(span.resource).toEqual({ 'service.name': 'mine', zone: 'b' });
      expect(root!.startNs <= span.startNs && span.startNs <= span.endNs && span.endNs <= root!.endNs).toBe(true);
    }
    expect(model!.attributes).toEqual({
      'triton.model_name': 'simple',
      'triton.model_version': 3,
      'triton.trace_id': trace.id,
      'triton.trace_parent_id': 0,
      'triton.request_id': 'r1',
    });
    expect([root, model, compute].map((span) => span!.events.map(({ name }) => name))).toEqual([
      ['HTTP_RECV_START'],
      ['REQUEST_START', 'QUEUE_START', 'REQUEST_END'],
      computed.slice(0, -1),
    ]);
  });

  test('times are times of day, to the microsecond', async () => {
    traceOne();
    await writer.flush();
    expect(Math.abs(Number(named('InferRequest').startNs / 1_000_000n) - Date.now())).toBeLessThan(10_000);
    expect(Number(named('queue').endNs - named('queue').startNs)).toBe(STEP_NS);
    expect(Number(named('compute').endNs - named('compute').startNs)).toBe(3 * STEP_NS);
  });

  test('the steps of an ensemble are in it', async () => {
    const trace = tracing.begin('ensemble', 1, '', null)!;
    stampAll(trace, 0, ['REQUEST_START']);
    const step = trace.child('step', 2);
    stampAll(step, 5000, ['REQUEST_START', 'QUEUE_START', ...computed]);
    step.end();
    stampAll(trace, 50_000, ['REQUEST_END']);
    trace.end();
    await writer.flush();
    expect(named('step').parentId).toBe(named('ensemble').spanId);
    expect(named('compute').parentId).toBe(named('step').spanId);
    expect(named('step').attributes['triton.trace_parent_id']).toBe(trace.id);
    expect(receiver.spans.length).toBe(5);
  });

  test('what has no times is left out, and stamps may come in any order', async () => {
    tracing.begin('simple', 1, '', null)!.end();
    const trace = tracing.begin('ensemble', 1, '', null)!;
    trace.child('never_ran', 1).end();
    for (const [activity, ns] of [
      ['REQUEST_END', 9000],
      ['REQUEST_START', 2000],
      ['HTTP_RECV_START', 1000],
    ] as const)
      trace.stamp(activity, ns);
    trace.end();
    await writer.flush();
    expect(receiver.spans.map(({ name }) => name).sort()).toEqual(['InferRequest', 'ensemble']);
    expect(named('ensemble').events.map(({ name }) => name)).toEqual(['REQUEST_START', 'REQUEST_END']);
    expect(Number(named('ensemble').endNs - named('ensemble').startNs)).toBe(7000);
    expect(Number(named('InferRequest').endNs - named('InferRequest').startNs)).toBe(8000);
  });

  test('a caller that is traced is the parent, whatever the rate', async () => {
    tracing.change(null, { rate: 0 });
    expect(tracing.begin('simple', 1, '', null)).toBeNull();
    expect(tracing.begin('simple', 1, '', { traceparent: 'nonsense', tracestate: '' })).toBeNull();
    traceOne('', parentContext);
    await writer.flush();
    expect(named('InferRequest')).toMatchObject({ traceId, parentId: callerId, traceState: 'vendor=value' });
    expect(named('compute')).toMatchObject({ traceId });
  });

  test('a caller that is not traced is the parent where the rate says so', async () => {
    traceOne('', { traceparent: `00-${traceId}-${callerId}-00`, tracestate: '' });
    await writer.flush();
    expect(named('InferRequest')).toMatchObject({ traceId, parentId: callerId });
  });

  test('a batch that is full is sent at once', async () => {
    for (let i = 0; i < 13; i++) traceOne();
    await receiver.until(() => receiver.spans.length >= 50);
    expect(receiver.requests).toBe(1);
  });

  test('what waits is sent at the end', async () => {
    traceOne();
    await tracing.close();
    expect(receiver.spans.length).toBe(4);
  });

  test('the log says once that a receiver refuses, and once that it takes them again', async () => {
    receiver.status = 400;
    for (let i = 0; i < 3; i++) {
      traceOne();
      await writer.flush();
    }
    expect(receiver.requests).toBe(3);
    receiver.status = 200;
    traceOne();
    await writer.flush();
    expect(lines).toEqual([
      expect.stringContaining(`spans do not arrive at ${receiver.url}: `),
      `spans arrive at ${receiver.url} again`,
    ]);
    expect(receiver.spans.length).toBe(4);
  });

  test('a receiver that is away costs a few spans, and the end waits for it only so long', async () => {
    await receiver.stop();
    for (let i = 0; i < 200; i++) traceOne();
    const startUs = monotonicUs();
    await tracing.close();
    expect((monotonicUs() - startUs) / 1e6).toBeLessThan(10);
  }, 30_000);
});
