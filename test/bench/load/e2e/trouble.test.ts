import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { bench, interrupted } from './bench-process.js';

/** A server of one model that does as a test says with requests for inference. */
let server: Server;
let asked = 0;
let onAsked: () => void = () => {};

const tensor = { datatype: 'INT32', shape: [1] };
const answers: Readonly<Record<string, object>> = {
  '/v2': { name: 'bad', version: '1', extensions: [] },
  '/v2/models/bad/ready': {},
  '/v2/models/bad': {
    name: 'bad',
    versions: ['1'],
    platform: 'none',
    inputs: [{ name: 'IN', ...tensor }],
    outputs: [{ name: 'OUT', ...tensor }],
  },
};
const good = { model_name: 'bad', outputs: [{ name: 'OUT', ...tensor, data: [1] }] };

type Infer = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

/** Resolves with the flags that name it. */
async function serve(infer: Infer): Promise<string[]> {
  asked = 0;
  server = createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.url!.endsWith('/infer')) {
        asked++;
        infer(request, response, asked);
        onAsked();
      } else {
        const known = answers[request.url!];
        say(response, known === undefined ? 404 : 200, known ?? { error: 'unknown' });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return ['-m', 'bad', '-u', `127.0.0.1:${port}`, '--warmup-interval', '0', '-p', '300'];
}

function say(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-length': text.length }).end(text);
}

function wasAsked(count: number): Promise<void> {
  return new Promise((resolve) => {
    onAsked = () => {
      if (asked >= count) resolve();
    };
    onAsked();
  });
}

afterEach(async () => {
  onAsked = () => {};
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const SHORT = ['--request-timeout-ms', '500'];

const windows = ['--concurrency-range', '1:2'];
const counted = ['--request-count', '12'];
const rate = ['--request-rate-range', '50'];
const overdue = 'timeout: a request of this connection had no answer for 500 ms';

test.each<[string, string[], Infer, string]>([
  ['says 503', windows, (_, response) => say(response, 503, { error: 'go away' }), 'HTTP 503: go away'],
  ['closes', counted, ({ socket }) => socket.destroy(), 'connection closed'],
  ['talks nonsense', rate, ({ socket }) => socket.end('nonsense\r\n\r\n'), 'bad answer: expected an answer'],
  ['is silent', windows, () => {}, overdue],
  ['is silent', counted, () => {}, overdue],
])('a server that %s: table, sentence and exit code, with %s', async (_, load, infer, failure) => {
  const place = await serve(infer);
  const { code, output, stdout } = await bench([...place, ...SHORT, ...load]);
  expect(code).toBe(1);
  expect(output).toMatch(new RegExp(`^conch bench: all [0-9]+ requests failed with ${failure}`, 'm'));
  expect(stdout).toMatch(/│ errors/);
});

test('a server that falls silent ends a count that it would never reach', async () => {
  const place = await serve((_, response, nth) => nth <= 50 && say(response, 200, good));
  const { code, output } = await bench([...place, ...SHORT, '--request-count', '100000']);
  expect(code).toBe(1);
  expect(output).toMatch(/^concurrency 1: cut short/m);
  expect(output).toMatch(
    /^conch bench: there was no good answer for [0-9.]+ s: of [0-9]+ requests [0-9]+ failed with timeout/m,
  );
});

test('a server that goes away: what was measured, and that it went', async () => {
  const place = await serve((_, response, nth) => {
    if (nth <= 50) return say(response, 200, good);
    server.close();
    server.closeAllConnections();
  });
  const { code, output } = await bench([...place, ...SHORT, '--request-count', '100000']);
  expect(code).toBe(1);
  expect(output).toMatch(/^concurrency 1: [0-9]+ attempts to connect failed: cannot connect to 127\.0\.0\.1/m);
});

test('Ctrl-C shows what was measured so far', async () => {
  const place = await serve((_, response) => say(response, 200, good));
  const { code, stdout } = await interrupted([...place, '--request-count', '1000000000'], () => wasAsked(200));
  expect(code).toBe(0);
  expect(stdout).toMatch(/^concurrency 1: cut short, only [0-9.]+ s were measured\.$/m);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s before anything was measured ends with %i', async (signal, expected) => {
  const { code, stdout } = await interrupted(await serve(() => {}), () => wasAsked(1), signal);
  expect(code).toBe(expected);
  expect(stdout).toContain('Nothing was measured.');
});
