import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildDataSet } from '../../../../bench/load/data/build-data-set.js';
import { prepareStreams } from '../../../../bench/load/encode/prepare-streams.js';
import { inferPath, type RequestSettings } from '../../../../bench/load/encode/request-settings.js';
import type { TargetModel } from '../../../../bench/load/target/target.js';
import { ServerProcess } from '../../../e2e/server.js';
import { type RawAnswer, RawClient } from '../../../protocols/http/raw-client.js';
import { dataOptions, simple } from '../target-model.js';

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({ models: ['simple'], engine: 'net' });
});

afterAll(() => server?.stop());

function settingsFor(model: TargetModel, more: Partial<RequestSettings> = {}): RequestSettings {
  return {
    target: { host: '127.0.0.1', port: server.httpPort, path: inferPath(model.name, ''), headers: [] },
    modelVersion: '',
    inputFormat: 'binary',
    outputFormat: 'binary',
    parameters: {},
    outputPlaces: new Map(),
    ...more,
  };
}

async function askHttp(bytes: Buffer): Promise<RawAnswer> {
  const client = await RawClient.open(server.httpPort);
  const answer = await client.ask(bytes);
  client.destroy();
  return answer!;
}

test('HTTP, tensors as bytes: the server adds what was sent', async () => {
  const dataSet = await buildDataSet(simple, dataOptions(), 4);
  const [left, right] = dataSet.streams[0]![0]!.inputs;
  const streams = prepareStreams('http', simple, dataSet, settingsFor(simple));
  const answer = await askHttp(streams[0]![0]!.requests.middle!.bytes);
  expect(answer.status, String(answer.body)).toBe(200);
  const sums = answer.body.subarray(Number(answer.headers.get('inference-header-content-length')));
  expect(sums).toHaveLength(2 * 4 * 16 * 4);
  for (let at = 0; at < 4 * 16 * 4; at += 4) {
    expect(sums.readInt32LE(at)).toBe(left!.bytes.readInt32LE(at) + right!.bytes.readInt32LE(at));
  }
});
