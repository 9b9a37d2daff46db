import { expect, test } from 'vitest';
import { isAllowedOrigin } from '../../../src/protocols/ws/origins.js';

test.each([
  ['', 'a:8000', [], true],
  ['http://a:8000', 'a:8000', [], true],
  ['https://A', 'a', [], true],
  ['http://a:8001', 'a:8000', [], false],
  ['http://b', 'a', [], false],
  ['http://b', 'a', ['http://c', 'HTTP://B'], true],
  ['https://b', 'a', ['http://b'], false],
  ['null', 'a', [], false],
  ['null', '', [], false],
  ['null', 'a', ['null'], true],
  ['anything', 'a', ['*'], true],
  ['http://a/', 'a', [], false],
  ['http://a.evil', 'a', ['http://a'], false],
  ['file://a', 'a', [], false],
] as const)('the origin %j at host %j with %j allowed: %s', (origin, host, allowed, expected) => {
  expect(isAllowedOrigin(origin, host, allowed)).toBe(expected);
});
