import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StreamedBody, type StreamFraming } from '../../../src/transport/http1/streamed-body.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

/** Everything that is there, in slices. */
function takeAll(body: StreamedBody, sliceBytes: number): string {
  let text = '';
  while (!body.isEmpty) {
    const slice = body.take(sliceBytes);
    expect(slice.length).toBeGreaterThan(0);
    expect(slice.length).toBeLessThanOrEqual(sliceBytes);
    text += Buffer.from(slice).toString('latin1');
  }
  return text;
}

const framings: Readonly<Record<StreamFraming, (pieces: readonly string[]) => string>> = {
  chunked: (pieces) =>
    `${pieces.map((piece) => (piece === '' ? '' : `${piece.length.toString(16)}\r\n${piece}\r\n`)).join('')}0\r\n\r\n`,
  plain: (pieces) => pieces.join(''),
  none: () => '',
};

describe('the body of an answer in pieces', () => {
  for (const [framing, expected] of Object.entries(framings)) {
    test(`${framing}: random pieces come out in order, in slices of any size, taken at any time`, () => {
      const piece = fc.record({ text: fc.string({ maxLength: 40, unit: 'binary-ascii' }), takes: fc.boolean() });
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 20 }), fc.integer({ min: 1, max: 50 }), (pieces, sliceBytes) => {
          const body = new StreamedBody(framing as StreamFraming);
          let taken = '';
          for (const { text, takes } of pieces) {
            const source = bytes(text);
            body.write(source);
            source.fill('!');
            if (takes) taken += takeAll(body, sliceBytes);
          }
          expect(body.isWhole).toBe(false);
          body.end();
          taken += takeAll(body, sliceBytes);
          expect(taken).toBe(expected(pieces.map(({ text }) => text)));
          expect([body.isWhole, body.bytes]).toEqual([true, 0]);
        }),
      );
    });
  }

  test('counts what nobody has taken, framing included', () => {
    const body = new StreamedBody('chunked');
    body.write(bytes('abc'));
    expect(body.bytes).toBe(8);
    body.take(5);
    expect(body.bytes).toBe(3);
  });
});
