import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InferReader } from '../../../src/protocols/grpc/infer-reader.js';
import { findSequenceId } from '../../../src/protocols/grpc/sequence-id-field.js';
import type { SequenceFlags } from '../../../src/types/infer.js';
import { idleModel, inputText, serverOf } from './idle-model.js';
import { encodeRequest, parameter, type TwinParameter } from './twin.js';

const control = (type: string) =>
  `sequence_batching { control_input { name: "ID" control { kind: CONTROL_SEQUENCE_CORRID data_type: ${type} } } }`;
const numbered = idleModel('numbered', 4, inputText('A', 'INT32', '1') + control('TYPE_UINT64'));
const named = idleModel('named', 4, inputText('A', 'INT32', '1') + control('TYPE_STRING'));
const free = idleModel('free', 4, `${inputText('A', 'INT32', '1')} sequence_batching { }`);

function message(
  model: string,
  id: TwinParameter,
  more: Readonly<Record<string, TwinParameter>> = {},
  name = '',
): Buffer {
  return encodeRequest({
    model_name: model,
    id: name,
    parameters: { ...more, sequence_id: id, sequence_start: { bool_param: true } },
    inputs: [{ name: 'A', datatype: 'INT32', shape: [1, 1] }],
    raw_input_contents: [Buffer.alloc(4)],
  });
}

function read(reader: InferReader, bytes: Buffer): SequenceFlags | string {
  try {
    reader.read(bytes);
    const { sequenceId, sequenceStart, sequenceEnd } = reader.sequence;
    return { sequenceId, sequenceStart, sequenceEnd };
  } catch (error) {
    return (error as Error).message;
  }
}

const number = (value: bigint): TwinParameter => ({ int64_param: String(value) });
const text = (value: string): TwinParameter => ({ string_param: value });

describe('a message that differs in its sequence only', () => {
  test('is known again, whatever the id', () => {
    const reader = new InferReader(serverOf(numbered));
    read(reader, message('numbered', number(5n)));
    const { prepared } = reader;
    for (const id of [1n, 127n, 128n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -1n, -(2n ** 63n)]) {
      const { sequenceId } = read(reader, message('numbered', number(id))) as SequenceFlags;
      expect(BigInt(sequenceId)).toBe(BigInt.asUintN(64, id));
      expect(typeof sequenceId).toBe(id >= 2n ** 53n || id < 0n ? 'bigint' : 'number');
      expect(reader.prepared).toBe(prepared);
    }
  });

  test('is known again where the id is a text', () => {
    const reader = new InferReader(serverOf(named));
    read(reader, message('named', text('first')));
    const { prepared } = reader;
    for (const id of ['a', 'zwölf', 'x'.repeat(90)]) {
      expect(read(reader, message('named', text(id)))).toMatchObject({ sequenceId: id });
      expect(reader.prepared).toBe(prepared);
    }
  });

  test('is another one where the id is of another kind, or none', () => {
    const reader = new InferReader(serverOf(numbered));
    read(reader, message('numbered', number(5n)));
    expect(read(reader, message('numbered', text('5')))).toContain("data-type is 'BYTES', but model");
    expect(read(reader, message('numbered', number(0n)))).toMatchObject({ sequenceId: 0 });
    const strings = new InferReader(serverOf(named));
    // A request without an id says nothing of what ids the model takes.
    read(strings, message('named', number(0n)));
    expect(read(strings, message('named', number(5n)))).toContain("data-type is 'UINT64', but model");
  });
});

test('whatever came before, a message is read as if it was the first', () => {
  const id = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(number),
    fc.nat(300).map((value) => number(BigInt(value))),
    fc.string({ unit: 'grapheme', maxLength: 140 }).map(text),
    parameter,
  );
  const more = fc.dictionary(fc.constantFrom('priority', 'a', 'sequence_end', 'timeout'), parameter, { maxKeys: 3 });
  const one = fc.tuple(fc.constantFrom('numbered', 'named', 'free'), id, more, fc.constantFrom('', 'id'));
  const server = serverOf(numbered, named, free);
  fc.assert(
    fc.property(fc.array(one, { maxLength: 12 }), (list) => {
      const reader = new InferReader(server);
      for (const parts of list) {
        const bytes = message(...parts);
        expect(read(reader, bytes)).toEqual(read(new InferReader(server), bytes));
      }
    }),
    { numRuns: 2000 },
  );
});

test('bytes that are cut anywhere are no id', () => {
  const whole = message('numbered', number(300n));
  for (let end = 0; end < whole.length; end++) findSequenceId(whole.subarray(0, end), 10, end);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      findSequenceId(Buffer.from(bytes), 0, bytes.length);
    }),
  );
});
