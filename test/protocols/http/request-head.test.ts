import { expect, test } from 'vitest';
import { RequestHead } from '../../../src/protocols/http/request-head.js';
import { usualLimits } from './engine-fixture.js';

function headOf(lines: readonly (readonly [string, string])[], limits = usualLimits): RequestHead {
  const head = new RequestHead(limits);
  for (const [name, value] of lines) head.add(name, value);
  return head;
}

const host = ['host', 'a'] as const;

test('gives the first of several headers of one name, and an empty text where there is none', () => {
  const head = headOf([host, ['x-a', '1'], ['x-a', '2']]);
  expect([head.header('x-a'), head.header('x-b')]).toEqual(['1', '']);
});

test('forgets everything of the request before', () => {
  const head = headOf([host, host, ['content-length', '5'], ['transfer-encoding', 'chunked'], ['x-a', '1']]);
  head.clear();
  head.add(...host);
  expect([head.refusal(), head.contentLength, head.header('x-a')]).toEqual([null, 0, '']);
});

test('takes chunked in any case', () => {
  const head = headOf([host, ['transfer-encoding', 'Chunked']]);
  expect([head.refusal(), head.contentLength]).toEqual([null, -1]);
});

test('accepts exactly what the limits allow', () => {
  const limits = { ...usualLimits, maxHeaderCount: 2, maxHeaderBytes: 'host: a\r\nx: y\r\n'.length, maxBodyBytes: 7 };
  expect(headOf([host, ['x', 'y']], limits).refusal()).toBeNull();
  expect(headOf([host, ['x', 'yy']], limits).refusal()?.status).toBe(431);
  expect(headOf([host, ['x', ''], ['z', '']], limits).refusal()?.status).toBe(431);
  const wide = { ...limits, maxHeaderBytes: 100 };
  expect(headOf([host, ['content-length', '7']], wide).refusal()).toBeNull();
  expect(headOf([host, ['content-length', '8']], wide).refusal()?.status).toBe(413);
});

test('says of a length in doubt that the end of the request is not known', () => {
  for (const length of ['', ' ', '-1', '+1', '1.0', '1e3', '0x1', '1 1', '1,1', '01', '００']) {
    expect(headOf([host, ['content-length', length]]).refusal(), length).toMatchObject({
      status: 400,
      endUnknown: true,
    });
  }
});
