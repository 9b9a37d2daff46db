import { expect, test } from 'vitest';
import { chooseEncoding } from '../../../src/protocols/http/encoding.js';

test.each([
  ['', 'identity'],
  ['gzip', 'gzip'],
  ['gzip, deflate', 'gzip'],
  ['deflate, gzip', 'deflate'],
  ['identity, gzip', 'identity'],
  ['gzip;q=0.5, deflate;q=0.8', 'deflate'],
  ['gzip;q=0.5,identity;q=0.7', 'identity'],
  ['gzip;q=0', 'identity'],
  ['gzip;q=0, deflate', 'deflate'],
  ['identity;q=0', 'identity'],
  ['*', 'identity'],
  ['br, zstd', 'identity'],
  ['br;q=1, gzip;q=0.1', 'gzip'],
  ['GZIP; Q=0.3', 'gzip'],
  ['gzip;q=abc', 'identity'],
  ['gzip;q=-1, deflate;q=2', 'identity'],
  [', ,;;q=1,', 'identity'],
])('Accept-Encoding %j is answered with %s', (header, encoding) => {
  expect(chooseEncoding(header)).toBe(encoding);
});
