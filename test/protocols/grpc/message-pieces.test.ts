import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { BodyBudget } from '../../../src/protocols/body-buffer.js';
import { InferReader } from '../../../src/protocols/grpc/infer-reader.js';
import { MessagePieces } from '../../../src/protocols/grpc/message-pieces.js';
import { ServerError } from '../../../src/types/errors.js';
import { idleModel, inputText, nobody, serverOf, takeInputs } from './idle-model.js';
import { encodeRequest, field, type TwinRequest, unknownField } from './twin.js';

const numbers = idleModel('numbers', 4, inputText('A', 'INT32', '2') + inputText('B', 'UINT8', '3'));
const strings = idleModel('strings', 0, inputText('S', 'STRING'));
const server = serverOf(numbers, strings);
const budget = new BodyBudget(1 << 20);

const request: TwinRequest = {
  model_name: 'numbers',
  id: 'the id',
  parameters: { x: { string_param: 'y'.repeat(40) } },
  inputs: [
    { name: 'A', datatype: 'INT32', shape: [2, 2] },
    { name: 'B', datatype: 'UINT8', shape: [2, 3] },
  ],
  raw_input_contents: [Buffer.from('0123456789abcdef'), Buffer.from('ABCDEF')],
};

/** What a call makes of a message that comes in these pieces. */
function take(pieces: readonly Buffer[]): { form: 'filled' | 'whole'; id: string; inputs: Buffer[] } {
  const reader = new InferReader(server);
  const incoming = new MessagePieces(reader, budget);
  try {
    incoming.begin(nobody);
    for (const piece of pieces) {
      // Engines use the memory of a piece again.
      const own = Buffer.from(piece);
      incoming.add(own);
      own.fill(0xdd);
    }
    const filled = incoming.finish();
    if (filled !== null) {
      const id = Buffer.from(incoming.id.view).toString();
      return { form: 'filled', id, inputs: takeInputs(filled) };
    }
    reader.read(incoming.whole);
    const { model } = reader.prepared;
    const admitted = model.admit(reader.plan, reader.sizes, nobody);
    reader.sizes.forEach((_, nth) => {
      reader.copyInput(incoming.whole, nth, model.arena.bytes, admitted.inputBegin(nth));
    });
    const id = incoming.whole.toString('utf8', reader.idBegin, reader.idEnd);
    return { form: 'whole', id, inputs: takeInputs(admitted) };
  } finally {
    incoming.clear();
  }
}

function split(message: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % message.length), message.length])].sort((a, b) => a - b);
  return places.slice(1).map((end, nth) => message.subarray(places[nth], end));
}

const message = encodeRequest(request);
const expected = { id: 'the id', inputs: request.raw_input_contents };
const cuts = fc.array(fc.nat({ max: 10_000 }), { maxLength: 8 });

/** Nothing is kept of a message that is over. */
afterEach(() => {
  expect(budget.used).toBe(0);
  expect(numbers.planes!.live).toBe(0);
});

test('cut at every byte, tensors are written as they come', () => {
  for (let at = 1; at < message.length; at++) {
    expect(take(split(message, [at]))).toEqual({ form: 'filled', ...expected });
  }
  expect(take([message])).toEqual({ form: 'filled', ...expected });
  expect(take([...message].map((byte) => Buffer.from([byte])))).toEqual({ form: 'filled', ...expected });
});

test('unknown fields between and behind the entries are skipped, entries beyond the inputs too', () => {
  const [head, first, second] = [
    { ...request, raw_input_contents: [] },
    ...request.raw_input_contents!.map((raw) => ({ raw_input_contents: [raw] })),
  ].map(encodeRequest) as [Buffer, Buffer, Buffer];
  const skipped = unknownField.filter((bytes) => !isGroup(bytes));
  fc.assert(
    fc.property(cuts, skipped, skipped, skipped, (places, one, two, three) => {
      const surplus = encodeRequest({ raw_input_contents: [Buffer.alloc(9)] });
      const whole = Buffer.concat([one, head, first, two, second, three, surplus]);
      expect(take(split(whole, places))).toEqual({ form: 'filled', ...expected });
    }),
  );
});

/** Deprecated, and understood in whole messages only. */
function isGroup(bytes: Buffer): boolean {
  let end = 0;
  while (bytes[end]! >= 0x80) end++;
  return (bytes[0]! & 7) === 3;
}

describe('a message that is needed whole is collected', () => {
  test.each([
    [
      'strings',
      {
        model_name: 'strings',
        inputs: [{ name: 'S', datatype: 'BYTES', shape: [1] }],
        raw_input_contents: [Buffer.from('03000000abc', 'latin1')],
      },
    ],
    [
      'typed contents',
      {
        ...request,
        raw_input_contents: [],
        inputs: [
          { ...request.inputs![0]!, contents: { int_contents: [1, 2, 3, 4] } },
          { ...request.inputs![1]!, contents: { uint_contents: [1, 2, 3, 4, 5, 6] } },
        ],
      },
    ],
  ])('%s', (_, twin) => {
    const bytes = encodeRequest(twin as TwinRequest);
    if (twin.model_name === 'strings') bytes.set([3, 0, 0, 0], bytes.length - 11);
    fc.assert(
      fc.property(cuts, (places) => {
        expect(take(split(bytes, places)).form).toBe('whole');
      }),
      { numRuns: 50 },
    );
  });

  test('a head of more than 64 KiB', () => {
    const long = encodeRequest({ ...request, parameters: { x: { string_param: 'y'.repeat(70_000) } } });
    expect(take(split(long, [1000, 66_000, 70_100]))).toEqual({ form: 'whole', ...expected });
  });
});

describe('refused', () => {
  const refusal = (bytes: Buffer, places: readonly number[] = []) => {
    try {
      take(split(bytes, places));
      return null;
    } catch (error) {
      expect(error).toBeInstanceOf(ServerError);
      return (error as ServerError).message;
    }
  };

  test('an entry of another size, at its first byte', () => {
    const wrong = encodeRequest({ ...request, raw_input_contents: [Buffer.alloc(16), Buffer.alloc(7)] });
    expect(refusal(wrong)).toBe(
      "[request id: the id] input byte size mismatch for input 'B' for model 'numbers'. Expected 6, got 7",
    );
  });

  test('too few entries, and an end within one', () => {
    expect(refusal(encodeRequest({ ...request, raw_input_contents: [Buffer.alloc(16)] }))).toBe(
      "unable to find data for input tensor 'B' for model 'numbers' in request.",
    );
    expect(refusal(message.subarray(0, -1))).toContain('it ends within a field');
  });

  test('a known field behind the entries', () => {
    expect(refusal(Buffer.concat([message, encodeRequest({ id: 'late' })]))).toContain(
      'field 3 lies behind raw_input_contents',
    );
    expect(refusal(Buffer.concat([message, field(0, 2, Buffer.alloc(1))]))).toContain('field 0');
  });

  test('an unknown model, as soon as it is named', () => {
    expect(refusal(encodeRequest({ ...request, model_name: 'none' }))).toBe("no model 'none'");
  });

  test('what is no message, or any of it changed, by name or not at all', () => {
    fc.assert(
      fc.property(fc.nat({ max: message.length - 1 }), fc.nat({ max: 255 }), cuts, (at, value, places) => {
        const changed = Buffer.from(message);
        changed[at] = value;
        refusal(changed, places);
        refusal(changed.subarray(0, at + 1), places);
      }),
      { numRuns: 1000 },
    );
  });
});

test('what is collected counts against the budget of the server', () => {
  const incoming = new MessagePieces(new InferReader(server), new BodyBudget(100_000));
  incoming.begin(nobody);
  const endless = field(2, 2, Buffer.alloc(1 << 20)).subarray(0, 60_000);
  incoming.add(endless);
  expect(() => {
    for (let nth = 0; nth < 3; nth++) incoming.add(Buffer.alloc(60_000));
  }).toThrow('try again later');
  incoming.clear();
});
