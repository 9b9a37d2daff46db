import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeFields } from '../../../src/transport/http2/hpack/encoder.js';
import type { Http2Listener } from '../../../src/transport/http2/server.js';
import { Echo, serve } from './echo-server.js';

const run = promisify(execFile);
const notFound = encodeFields([
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '5'],
  ['grpc-message', 'no such method'],
]);

let listener: Http2Listener;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'conch-h2-'));
  listener = await serve({ limits: { maxHeaderListBytes: 32_768 } }, (stream, request) => {
    if (request.path === '/missing') stream.end(notFound);
    return new Echo();
  });
});

afterAll(async () => {
  await listener.close();
  rmSync(folder, { recursive: true });
});

function has(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

function fileOf(body: Buffer): string {
  const file = join(folder, `body-${body.length}`);
  writeFileSync(file, body);
  return file;
}

describe('grpc-js', () => {
  let client: Client;
  beforeAll(() => {
    client = new Client(`127.0.0.1:${listener.port}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
  });
  afterAll(() => client.close());

  const keep = (bytes: Buffer) => bytes;
  const infer = (path: string, body: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(path, keep, keep, body, new Metadata(), (error, answer) => {
        if (error === null) resolve(answer!);
        else reject(error);
      });
    });

  test.each([0, 1, 100_000, 4 << 20])('a message of %d bytes', async (bytes) => {
    const body = Buffer.alloc(bytes, 'm');
    expect((await infer('/echo', body)).equals(body)).toBe(true);
  });

  test('many calls at a time', async () => {
    const bodies = Array.from({ length: 300 }, (_, index) => Buffer.alloc(index, index));
    const answers = await Promise.all(bodies.map((body) => infer('/echo', body)));
    expect(answers.every((answer, index) => answer.equals(bodies[index]!))).toBe(true);
  });

  test('an answer of trailers only', async () => {
    const error = await infer('/missing', Buffer.alloc(10)).catch((thrown: ServiceError) => thrown);
    expect(error).toMatchObject({ code: status.NOT_FOUND, details: 'no such method' });
  });
});

describe.skipIf(!has('h2load'))('h2load', () => {
  test.each([
    ['1', '1', 100],
    ['8', '8', 200],
    ['16', '100', 5000],
    ['4', '4', 200_000],
  ])('%s connections, %s streams, %d bytes', async (connections, streams, bytes) => {
    const load = ['-n', bytes > 100_000 ? '200' : '5000', '-c', connections, '-m', streams, '-t', '1'];
    const { stdout } = await run('h2load', [
      ...load,
      '-d',
      fileOf(Buffer.alloc(bytes)),
      `http://127.0.0.1:${listener.port}/echo`,
    ]);
    expect(stdout).toMatch(/ (5000|200) succeeded, 0 failed, 0 errored, 0 timeout/);
  });
});

describe.skipIf(!has('nghttp'))('nghttp', () => {
  test.each([
    ['a plain request', []],
    ['padding', ['-b', '100']],
    ['CONTINUATION', ['--continuation']],
    ['a small header table', ['-c', '0']],
    ['narrow windows', ['-w', '10', '-W', '10']],
    ['many requests', ['-m', '50']],
    ['trailers', ['--trailer', 'sum: 1']],
    ['many header fields', Array.from({ length: 80 }, (_, at) => ['-H', `x-${at}: ${'v'.repeat(at + 1)}`]).flat()],
  ])('%s', async (_name, options) => {
    const body = Buffer.alloc(100_000, 'n');
    const args = [...options, '-d', fileOf(body), `http://127.0.0.1:${listener.port}/echo`];
    const { stdout } = await run('nghttp', args, { encoding: 'buffer', maxBuffer: 64 << 20 });
    expect(stdout.length % body.length).toBe(0);
    expect(stdout.subarray(0, body.length).equals(body)).toBe(true);
  });
});
