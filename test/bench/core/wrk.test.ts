import { describe, expect, test } from 'vitest';
import { parseWrk, wrkScript } from '../../../bench/core/wrk.js';

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
