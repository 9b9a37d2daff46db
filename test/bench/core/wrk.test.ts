import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { parseWrk, WrkLoad, wrkScript } from '../../../bench/core/wrk.js';

function output(result: Record<string, number>): string {
  const healthy = {
    requests: 1000,
    durationUs: 2_000_000,
    p50Us: 72,
    p99Us: 139,
    maxUs: 1503,
    connect: 0,
    read: 0,
    write: 0,
    status: 0,
    timeout: 0,
  };
  return `Running 2s test @ http://127.0.0.1:1/x\n  1 threads and 16 connections\n@result ${JSON.stringify({ ...healthy, ...result })}\n`;
}

describe('what wrk printed', () => {
  test('becomes seconds and microseconds', () => {
    expect(parseWrk(output({}))).toEqual({ requests: 1000, seconds: 2, p50Us: 72, p99Us: 139, maxUs: 1503 });
  });

  test.each(['connect', 'read', 'write', 'status', 'timeout'])('is refused for one error of kind %s', (kind) => {
    expect(() => parseWrk(output({ [kind]: 1 }))).toThrow(`1 ${kind}`);
  });

  test('is refused when nothing was answered', () => {
    expect(() => parseWrk(output({ requests: 0 }))).toThrow('no request');
  });

  test('is refused without our line', () => {
    expect(() => parseWrk('unable to connect')).toThrow('unable to connect');
  });
});

test('the script sets the headers as they are and reads the body from its file', () => {
  const request = { path: '/x', headers: { 'Content-Type': 'a]]b' }, body: new Uint8Array() };
  const script = wrkScript(request, '/tmp/x.body');
  expect(script).toContain('wrk.headers[ [==[Content-Type]==] ] = [==[a]]b]==]');
  expect(script).toContain("io.open([==[/tmp/x.body]==], 'rb')");
  expect(script).not.toContain('function request');
});

const hasWrk = (() => {
  try {
    return execFileSync('which', ['wrk']).length > 0;
  } catch {
    return false;
  }
})();

test.skipIf(!hasWrk)('a request that counts is another each time, in its four bytes alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wrk-'));
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      bodies.push(body);
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const request = { path: '/x', headers: {}, body: Buffer.from('front....behind'), countedAt: 5 };
  const load = await WrkLoad.create(request, folder, 'counting');
  const { requests } = await load.run((server.address() as AddressInfo).port, 2, 1);
  server.close();
  rmSync(folder, { recursive: true });
  expect(bodies.length).toBeGreaterThanOrEqual(requests);
  expect(new Set(bodies.map((body) => body.toString('hex'))).size).toBe(bodies.length);
  const rest = bodies.map((body) => `${body.subarray(0, 5)} ${body.subarray(9)}`);
  expect(new Set(rest)).toEqual(new Set(['front behind']));
});
