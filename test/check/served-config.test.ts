import { expect, test } from 'vitest';
import { configUrl } from '../../src/check/served-config.js';
import { refusal } from '../config/refusal.js';

const url = (from: string, name = '', version = 0) => configUrl({ from, name, version });

test.each([
  [url('http://h:8000/v2/models/m'), 'http://h:8000/v2/models/m/config'],
  [url('http://h:8000/v2/models/m/versions/3/config'), 'http://h:8000/v2/models/m/versions/3/config'],
  [url('http://h:8000/v2/models/m/versions/3', '', 4), 'http://h:8000/v2/models/m/versions/4/config'],
  [url('http://h:8000', 'a b/c'), 'http://h:8000/v2/models/a%20b%2Fc/config'],
  [url('https://h/prefix/', 'm', 2), 'https://h/prefix/v2/models/m/versions/2/config'],
  [url('http://h/v2', 'm'), 'http://h/v2/models/m/config'],
  [url('http://h/v2/models', 'm'), 'http://h/v2/models/m/config'],
])('%s', (made, expected) => {
  expect(made).toBe(expected);
});

test('an address that names no model, or two', () => {
  expect(refusal(() => url('http://h:1'))).toContain('names no model');
  expect(refusal(() => url('http://h:1/v2/models/a', 'b'))).toContain("names a model, and so does 'b'");
  expect(refusal(() => url('http://'))).toContain('is no URL');
});
