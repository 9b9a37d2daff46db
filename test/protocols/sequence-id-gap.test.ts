import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PreparedHead } from '../../src/protocols/head-cache.js';
import { HeadCache, sequenceOf } from '../../src/protocols/head-cache.js';
import type { SequenceFlags, SequenceId } from '../../src/types/infer.js';
import { idleModel, inputText } from './grpc/idle-model.js';

const control = (type: string) =>
  `sequence_batching { control_input { name: "ID" control { kind: CONTROL_SEQUENCE_CORRID data_type: ${type} } } }`;
const numbered = idleModel('numbered', 4, inputText('A', 'FP32', '1') + control('TYPE_UINT64'));
const named = idleModel('named', 4, inputText('A', 'FP32', '1') + control('TYPE_STRING'));
const free = idleModel('free', 4, `${inputText('A', 'FP32', '1')} sequence_batching { }`);

/** A head whose sequence id is written as `id`. */
function bodyOf(id: string, more = '', data = '[1]'): Buffer {
  return Buffer.from(
    `{"parameters":{"sequence_start":true,"sequence_id" : ${id}${more}},"inputs":[{"name":"A","datatype":"FP32","shape":[1,1],"data":${data}}]}`,
  );
}

function prepare(cache: HeadCache, body: Buffer): { head: PreparedHead; flags: SequenceFlags } | string {
  try {
    const head = cache.prepare(body, 0, body.length);
    const { sequenceId, sequenceStart, sequenceEnd } = sequenceOf(head, body);
    return { head, flags: { sequenceId, sequenceStart, sequenceEnd } };
  } catch (error) {
    return (error as Error).message;
  }
}

test.each([
  ['numbers', numbered, '5', [1, 999999999999999, 2 ** 53 - 1, 2n ** 53n, 2n ** 64n - 1n]],
  ['texts', named, '"a"', ['b', 'longer', '7', 'x'.repeat(128)]],
] as const)(
  'heads that differ in their sequence only are known again: %s',
  (_, model, first, ids: readonly SequenceId[]) => {
    const cache = new HeadCache(model);
    const { head } = prepare(cache, bodyOf(first)) as { head: PreparedHead };
    for (const id of ids) {
      const text = typeof id === 'string' ? JSON.stringify(id) : String(id);
      const next = prepare(cache, bodyOf(text, '', '[2.5]')) as { head: PreparedHead; flags: SequenceFlags };
      expect(next.head).toBe(head);
      expect(next.flags).toEqual({ sequenceId: id, sequenceStart: true, sequenceEnd: false });
    }
  },
);

test('whatever came before, a head is read as if it was the first', () => {
  const id = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 65n }).map(String),
    fc.nat(20).map(String),
    fc.string({ unit: 'grapheme', maxLength: 130 }).map((text) => JSON.stringify(text)),
    fc.constantFrom('-1', '1.0', '1e3', '01', 'true', '""', '"\\u0041"', '{}', '[5]', '5 '),
  );
  const more = fc.constantFrom('', ',"sequence_id":9', ',"a":"\\"sequence_id\\":5"', ',"b":"sequence_id"', ' ');
  const one = fc.tuple(fc.constantFrom(numbered, named, free), id, more);
  fc.assert(
    fc.property(fc.array(one, { maxLength: 10 }), (list) => {
      const caches = new Map([numbered, named, free].map((model) => [model, new HeadCache(model)]));
      for (const [model, text, rest] of list) {
        const body = bodyOf(text, rest);
        const [known, fresh] = [prepare(caches.get(model)!, body), prepare(new HeadCache(model), body)];
        if (typeof known === 'string' || typeof fresh === 'string') expect(known).toBe(fresh);
        else expect(known.flags).toEqual(fresh.flags);
      }
    }),
    { numRuns: 2000 },
  );
});
