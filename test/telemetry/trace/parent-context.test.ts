import { expect, test } from 'vitest';
import { readTraceparent } from '../../../src/telemetry/trace/parent-context.js';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';

test.each([
  [`00-${trace}-${span}-01`, true],
  [`00-${trace}-${span}-00`, false],
  [`00-${trace}-${span}-03`, true],
  [` 00-${trace}-${span}-01 `, true],
  [`01-${trace}-${span}-01-what-comes-later`, true],
])('%s names a span', (text, isSampled) => {
  expect(readTraceparent(text)).toEqual({ traceId: trace, spanId: span, isSampled });
});

test.each([
  '',
  'x',
  `ff-${trace}-${span}-01`,
  `00-${trace}-${span}-01-more`,
  `00-${trace.toUpperCase()}-${span}-01`,
  `00-${'0'.repeat(32)}-${span}-01`,
  `00-${trace}-${'0'.repeat(16)}-01`,
  `00-${trace}-${span}`,
])("'%s' names none", (text) => {
  expect(readTraceparent(text)).toBeNull();
});
