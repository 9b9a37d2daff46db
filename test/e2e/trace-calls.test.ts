import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { plusFiles } from './control.js';
import { ensembleFiles } from './ensembles.js';
import { ask, bytesOf, infer, outputsOf, post } from './requests.js';
import { ServerProcess } from './server.js';
import { TraceFile, type TraceObject } from './traces.js';

const traces = new TraceFile();

const flags = () => traces.flags('level=TIMESTAMPS', 'rate=1');

/** Each model with its way from the root, and the id of its request. */
function family(): string[] {
  const objects = traces.read();
  const heads = new Map(objects.flatMap((it) => (it.model_name === undefined ? [] : [[it.id, it] as const])));
  const wayTo = ({ model_name, parent_id }: TraceObject): string =>
    parent_id === undefined ? model_name! : `${wayTo(heads.get(parent_id)!)} > ${model_name}`;
  return [...heads.values()].map((head) => `${wayTo(head)} (${head.request_id ?? ''})`);
}

/** What was stamped in all executions of a model, in order. */
function story(model: string): string {
  const objects = traces.read();
  const ids = objects.flatMap(({ id, model_name }) => (model_name === model ? [id] : []));
  const stamps = objects.flatMap(({ id, timestamps }) => (ids.includes(id) ? (timestamps ?? []) : []));
  return stamps.map(({ name }) => name).join(' ');
}

const wish = (how: string) =>
  infer('caller', [{ name: 'HOW', datatype: 'BYTES', shape: [1], data: [how] }], { head: { id: 'r' } });

const ran = 'REQUEST_START QUEUE_START COMPUTE_START COMPUTE_INPUT_END COMPUTE_OUTPUT_START COMPUTE_END REQUEST_END';

describe('calls of a model written in JavaScript, on behalf of a request', () => {
  test('are part of its trace, with the steps of ensembles; refused ones and others are not', async () => {
    const eleven = {
      maxBatchSize: 8,
      inputs: ['INPUT0 FP32 1'],
      outputs: ['OUTPUT0 FP32 1'],
      steps: ['one INPUT0=INPUT0 -> OUTPUT0=t', 'ten INPUT0=t -> OUTPUT0=OUTPUT0'],
    };
    const files = { ...plusFiles('one', 1), ...plusFiles('ten', 10), ...ensembleFiles({ eleven }) };
    const server = await ServerProcess.start({ models: ['caller'], files, flags: flags() });
    const answer = await ask(server.httpPort, wish('traced'));
    expect(outputsOf(answer).OUTPUT0).toEqual([0, 2, 12, 11]);
    await server.stop();
    expect(family()).toEqual([
      'caller (r)',
      'caller > one (own)',
      'caller > eleven (r)',
      'caller > eleven > one (r)',
      'caller > eleven > ten (r)',
    ]);
    expect(story('one')).toBe(`${ran} ${ran}`);
    expect(story('ten')).toBe(ran);
  });

  test('are as well where both models answer any number of times', async () => {
    const server = await ServerProcess.start({ models: ['forward', 'repeat'], flags: flags() });
    const request = post('/v2/models/forward/generate_stream', JSON.stringify({ id: 'r', COUNT: 3, HOW: 'plain' }));
    expect((await ask(server.httpPort, request)).status).toBe(200);
    await server.stop();
    expect(family()).toEqual(['forward (r)', 'forward > repeat (r)']);
    // Three answers, and the news that there are no more.
    expect(story('repeat').match(/INFER_RESPONSE_COMPLETE/g)).toHaveLength(4);
    expect(story('forward')).toMatch(/^HTTP_RECV_START .* HTTP_SEND_END$/);
  });

  test('are written also where their client goes away', async () => {
    const server = await ServerProcess.start({ models: ['caller', 'repeat'], flags: flags() });
    const socket = connect(server.httpPort, '127.0.0.1');
    socket.write(bytesOf(wish('waits')));
    await server.main.printed(/instance 'repeat_0': waits"$/m);
    socket.destroy();
    await server.main.printed(/waits ended: CANCELLED/);
    await server.stop();
    expect(family()).toEqual(['caller (r)', 'caller > repeat (r)']);
  });
});
