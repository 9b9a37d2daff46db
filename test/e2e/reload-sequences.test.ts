import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { model, node, onnx, raw, tensor, tensorValue } from '../backends/onnx-builder.js';
import { BytesClient, type ClientStream } from '../protocols/grpc/engine-fixture.js';
import { openStream, type StreamResponse, streamResponses } from '../protocols/grpc/real-server.js';
import { briefly, load, putFile, statesOf, unload } from './control.js';
import { memoryUsed } from './metrics.js';
import { ask, outputsOf } from './requests.js';
import { askStep, errorOf, type StepOptions, step, stepMessage, viewOf } from './sequence-steps.js';
import { ServerProcess } from './server.js';
import { messageOf, SocketClient } from './socket-client.js';
import { until } from './until.js';

const LONG_US = 600_000_000;

/** OUTPUT = the sum of the inputs of the sequence, WHO = `who`. */
function summing(who: number): Uint8Array {
  const value = (name: string) => tensorValue(name, onnx.INT32, ['batch', 1]);
  const constant = (name: string, number: number) => tensor(name, onnx.INT32, [1], raw(Int32Array.of(number)));
  return model({
    inputs: [value('INPUT'), value('SUM')],
    outputs: [value('OUTPUT'), value('WHO'), value('NEXT')],
    initializers: [constant('zero', 0), constant('who', who)],
    nodes: [
      node('Add', ['INPUT', 'SUM'], ['OUTPUT']),
      node('Identity', ['OUTPUT'], ['NEXT']),
      node('Mul', ['INPUT', 'zero'], ['nothing']),
      node('Add', ['nothing', 'who'], ['WHO']),
    ],
  });
}

function summingConfig(strategy: string, idleUs: number): string {
  const slots = strategy === 'oldest' ? 'max_candidate_sequences: 8' : '';
  return `name: "sum"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_INT32 dims: [ 1 ] }, { name: "WHO" data_type: TYPE_INT32 dims: [ 1 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
sequence_batching {
  ${strategy} { ${slots} }
  max_sequence_idle_microseconds: ${idleUs}
  state {
    input_name: "SUM" output_name: "NEXT" data_type: TYPE_INT32 dims: [ 1 ]
    initial_state { name: "zero" data_type: TYPE_INT32 dims: [ 1 ] zero_data: true }
  }
}
`;
}

interface Step {
  readonly sum: number;
  readonly who: number;
  readonly version: string;
}

/** Sends a step of a sequence by one protocol; the text of an error where there is one. */
type Walker = (id: number, input: number, flags?: string) => Promise<Step | string>;

describe.each(['direct', 'oldest'])('sequences of strategy %s', (strategy) => {
  let server: ServerProcess;
  let client: BytesClient;
  let stream: ClientStream;
  let socket: SocketClient;
  /** Threads of the process while one model serves. */
  let threads: number;

  async function start(idleUs = LONG_US): Promise<void> {
    server = await ServerProcess.start({
      models: [],
      files: { 'sum/config.pbtxt': Buffer.from(summingConfig(strategy, idleUs)), 'sum/1/model.onnx': summing(1) },
      flags: ['--model-control-mode=explicit', '--load-model=sum'],
    });
    threads = threadCount();
    client = new BytesClient(server.grpcPort);
    stream = openStream(client);
    socket = await SocketClient.open(server.httpPort, '/v2/models/sum/infer');
  }

  afterEach(async () => {
    socket.webSocket.terminate();
    stream.cancel();
    client.close();
    if (!server.main.hasEnded) await server.stop();
  });

  const threadCount = () => readdirSync(`/proc/${server.main.child.pid}/task`).length;

  /** Loads another file in the place of version 1, or as another version. */
  async function reload(who: number, version = 1): Promise<void> {
    await putFile(server, `sum/${version}/model.onnx`, summing(who));
    expect(briefly(await load(server, 'sum'))).toBe('200');
  }

  const options = (input: number, flags: string): StepOptions => ({ flags, inputs: [input] });

  const http: Walker = async (id, input, flags = '') => {
    const answer = await askStep(server, 'sum', id, options(input, flags));
    if (answer.status !== 200) return errorOf(answer);
    const { OUTPUT, WHO } = outputsOf(answer);
    const version = /"model_version":"([0-9]+)"/.exec(answer.body.toString('latin1'))![1]!;
    return { sum: OUTPUT![0] as number, who: WHO![0] as number, version };
  };

  const overStream: Walker = async (id, input, flags = '') => {
    const before = stream.messages.length;
    stream.send(stepMessage('sum', id, options(input, flags)));
    await until('the stream answers', () => stream.messages.length > before);
    return stepOf(streamResponses(stream.messages.slice(before))[0]!);
  };

  const overSocket: Walker = async (id, input, flags = '') => {
    const { error, values, model_version } = await socket.ask(messageOf(step('sum', id, options(input, flags))));
    if (error !== undefined) return error;
    const { OUTPUT, WHO } = values as Record<string, number[]>;
    return { sum: OUTPUT![0]!, who: WHO![0]!, version: model_version! };
  };

  const walkers = () => [http, overStream, overSocket];
  /** One step of sequence 1 by HTTP, of 2 by a stream, of 3 by WebSocket. */
  const walk = (input: number, flags = '', firstId = 1) =>
    Promise.all(walkers().map((walker, index) => walker(firstId + index, input * 10 ** index, flags)));
  const sums = (sum: number, who: number, version = '1') =>
    [1, 10, 100].map((factor) => ({ sum: sum * factor, who, version }));
  const oldIsGone = () => until('the threads of the old one are gone', () => threadCount() <= threads);

  test('go on where they began, through reload after reload; new ones begin in the new model', async () => {
    await start();
    expect(await walk(1, 's')).toEqual(sums(1, 1));
    await reload(2);
    expect(threadCount()).toBeGreaterThan(threads);
    expect(await walk(2)).toEqual(sums(3, 1));
    expect(await walk(5, 's', 4)).toEqual(sums(5, 2));
    await reload(3);
    expect(await walk(3)).toEqual(sums(6, 1));
    expect(await walk(6, '', 4)).toEqual(sums(11, 2));
    expect(await walk(7, 's', 7)).toEqual(sums(7, 3));
    expect(await walk(4, 'e')).toEqual(sums(10, 1));
    expect(await walk(1, 'e', 4)).toEqual(sums(12, 2));
    await oldIsGone();
    expect(await walk(1, '', 7)).toEqual(sums(8, 3));
    expect(await http(1, 1)).toMatch(/^400 .* must specify the START flag on the first request of the sequence/);
    expect(await walk(1, 'e', 7)).toEqual(sums(9, 3));
    expect((await viewOf(server, 'sum')).live).toEqual([]);
  });

  test('that begin anew begin in the new model', async () => {
    await start();
    await walk(1, 's');
    await reload(2);
    expect(await walk(2, 's')).toEqual(sums(2, 2));
    expect(await walk(3)).toEqual(sums(5, 2));
    expect(await walk(1, 'e')).toEqual(sums(6, 2));
  });

  test('name the version that answers when another takes its place', async () => {
    await start();
    expect(await walk(1, 's')).toEqual(sums(1, 1));
    await reload(20, 2);
    expect(await walk(2)).toEqual(sums(3, 1, '1'));
    expect(await walk(4, 's', 4)).toEqual(sums(4, 20, '2'));
    expect(await statesOf(server, 'sum')).toEqual(['1 UNLOADING', '2 READY']);
    expect(await walk(1, 'e')).toEqual(sums(4, 1, '1'));
    await until('version 1 is gone', async () => (await statesOf(server, 'sum'))[0] === '1 UNAVAILABLE: unloaded');
    await oldIsGone();
    // Back to the lower version: those that are live go on in the higher one.
    await rm(`${server.repository}/sum/2`, { recursive: true });
    expect(briefly(await load(server, 'sum'))).toBe('200');
    expect(await walk(1, '', 4)).toEqual(sums(5, 20, '2'));
    expect(await walk(7, 's', 7)).toEqual(sums(7, 1, '1'));
    expect(await walk(1, 'e', 4)).toEqual(sums(6, 20, '2'));
    await oldIsGone();
    expect(await walk(1, 'e', 7)).toEqual(sums(8, 1, '1'));
  });

  test('that are left alone are over when they have been idle', async () => {
    await start(2_000_000);
    expect(await walk(1, 's')).toEqual(sums(1, 1));
    await reload(2);
    await oldIsGone();
    for (const answer of await walk(1)) expect(answer).toMatch(/must specify the START flag on the first request/);
    expect(await walk(3, 'se')).toEqual(sums(3, 2));
  });

  test('are over when the model is unloaded, and say so', async () => {
    await start();
    await walk(1, 's');
    await reload(2);
    await walk(1, 's', 4);
    expect(await walk(1)).toEqual(sums(2, 1));
    expect(briefly(await unload(server, 'sum'))).toBe('200');
    const text = "Request for unknown model: 'sum' has no available versions";
    for (const firstId of [1, 4])
      for (const answer of await walk(1, '', firstId)) expect(answer).toMatch(new RegExp(`${text}$`));
    await until('all is taken down', async () => (await memoryUsed(server)) === 0);
    await until('all threads are gone', () => threadCount() < threads);
    expect(await statesOf(server, 'sum')).toEqual(['1 UNAVAILABLE: unloaded']);
    expect(briefly(await load(server, 'sum'))).toBe('200');
    expect(await http(1, 1)).toMatch(/must specify the START flag on the first request/);
    expect(await walk(6, 's')).toEqual(sums(6, 2));
  });

  test('do not keep the server from ending', async () => {
    await start();
    await walk(1, 's');
    await reload(2);
    await walk(1, 's', 4);
    stream.halfClose();
    await stream.outcome;
    const asked = ask(server.httpPort, step('sum', 1, options(1, '')));
    expect(outputsOf(await asked).OUTPUT).toEqual([2]);
    await server.stop();
  });
});

function stepOf({ error_message, infer_response }: StreamResponse): Step | string {
  if (error_message !== '') return error_message;
  const { outputs, raw_output_contents, model_version } = infer_response;
  const output = (name: string) => raw_output_contents[outputs.findIndex((it) => it.name === name)]!;
  return { sum: output('OUTPUT').readInt32LE(), who: output('WHO').readInt32LE(), version: model_version };
}
