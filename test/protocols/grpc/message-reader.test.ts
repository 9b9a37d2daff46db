import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyBudget } from '../../../src/protocols/body-buffer.js';
import { MessageReader, type MessageSink } from '../../../src/protocols/grpc/message-reader.js';

const MAX_BYTES = 200_000;

/** Writes down what it hears, and counts what is taken. */
class Listener implements MessageSink {
  readonly heard: string[] = [];
  taken = 0;
  #pieces: Buffer[] = [];

  onMessage(message: Buffer): void {
    this.heard.push(textOf(message));
  }
  onMessageBegin(): void {
    this.#pieces = [];
  }
  onPiece(piece: Buffer): void {
    this.#pieces.push(Buffer.from(piece));
  }
  onMessageEnd(): void {
    this.heard.push(textOf(Buffer.concat(this.#pieces)));
  }
  onCompressed(message: Buffer): void {
    this.heard.push(`compressed ${textOf(message)}`);
  }
  onTaken(bytes: number): void {
    this.taken += bytes;
  }
  onTooLarge(length: number): void {
    this.heard.push(`too large: ${length}`);
  }
  onBadFlag(flag: number): void {
    this.heard.push(`bad flag: ${flag}`);
  }
  onHalfClose(isComplete: boolean): void {
    this.heard.push(isComplete ? 'end' : 'end within a message');
  }
}

function textOf(message: Buffer): string {
  return `${message.length} bytes ${message.subarray(0, 8).toString('hex')} ${message.subarray(-3).toString('hex')}`;
}

function framed(message: Buffer, isCompressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = isCompressed ? 1 : 0;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function setUp(budget = new BodyBudget(1 << 22)) {
  const listener = new Listener();
  const reader = new MessageReader(listener, MAX_BYTES, budget);
  return { listener, reader, budget };
}

const message = fc
  .record({
    length: fc.oneof(fc.nat({ max: 300 }), fc.constantFrom(65_535, 65_536, 65_537, MAX_BYTES)),
    isCompressed: fc.boolean(),
    seed: fc.nat({ max: 255 }),
  })
  .map(({ length, isCompressed, seed }) => ({
    isCompressed,
    bytes: Buffer.alloc(length).map((_, index) => (index * 7 + seed) & 255) as Buffer,
  }));

function expected(messages: readonly { readonly bytes: Buffer; readonly isCompressed: boolean }[]): string[] {
  return messages.map(({ bytes, isCompressed }) => `${isCompressed ? 'compressed ' : ''}${textOf(bytes)}`);
}

describe('messages', () => {
  test('are the same however their bytes are cut, and held for as long as it is', () => {
    const cuts = fc.array(fc.record({ at: fc.nat({ max: 100_000 }), holds: fc.boolean() }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), cuts, (messages, steps) => {
        const { listener, reader, budget } = setUp();
        const bytes = Buffer.concat(messages.map((one) => framed(one.bytes, one.isCompressed)));
        let begin = 0;
        for (const { at, holds } of [...steps].sort((a, b) => a.at - b.at)) {
          const end = Math.min(bytes.length, at);
          if (end > begin) reader.feed(bytes, begin, end);
          begin = Math.max(begin, end);
          if (holds) reader.hold();
          else reader.release();
        }
        if (begin < bytes.length) reader.feed(bytes, begin, bytes.length);
        reader.end();
        reader.release();
        expect(listener.heard).toEqual([...expected(messages), 'end']);
        expect([listener.taken, budget.used]).toEqual([bytes.length, 0]);
      }),
      { numRuns: 60 },
    );
  });

  test('are the same at every cut', () => {
    const messages = [Buffer.from('one'), Buffer.alloc(0), Buffer.from('three')];
    const bytes = Buffer.concat(messages.map((one) => framed(one)));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { listener, reader } = setUp();
      if (cut > 0) reader.feed(bytes, 0, cut);
      if (cut < bytes.length) reader.feed(bytes, cut, bytes.length);
      reader.end();
      expect(listener.heard).toEqual([...messages.map(textOf), 'end']);
    }
  });
});

test('a length over the limit is told before anything of it is kept', () => {
  const { listener, reader, budget } = setUp();
  const prefix = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  reader.feed(prefix, 0, prefix.length);
  expect(listener.heard).toEqual([`too large: ${2 ** 32 - 1}`]);
  expect(budget.used).toBe(0);
});

test.each([2, 128, 255])('a flag of %i is no flag, however its prefix is cut', (flag) => {
  for (let cut = 1; cut < 6; cut++) {
    const { listener, reader } = setUp();
    const bytes = Buffer.from([flag, 0, 0, 0, 1, 7]);
    listener.onBadFlag = () => {
      listener.heard.push('bad flag');
      reader.stop();
    };
    reader.feed(bytes, 0, cut);
    reader.feed(bytes, cut, bytes.length);
    expect(listener.heard).toEqual(['bad flag']);
  }
});

test('an end within a message is told as such', () => {
  for (const bytes of [framed(Buffer.from('whole')).subarray(0, 7), Buffer.from([0, 0])]) {
    const { listener, reader } = setUp();
    reader.feed(bytes, 0, bytes.length);
    reader.end();
    expect(listener.heard).toEqual(['end within a message']);
  }
});

test('what is kept is within the budget, and goes back when the call is over', () => {
  const { listener, reader, budget } = setUp(new BodyBudget(20_000));
  reader.hold();
  const bytes = Buffer.alloc(15_000);
  reader.feed(bytes, 0, bytes.length);
  expect([budget.used, listener.taken]).toEqual([15_000, 0]);
  expect(() => reader.feed(bytes, 0, bytes.length)).toThrow('try again later');
  reader.stop();
  expect([budget.used, listener.taken]).toEqual([0, 15_000]);
});

describe('what waits', () => {
  /** Holds the reader with each message, as a client does whose answers wait. */
  function setUpHolding(budget: BodyBudget) {
    const setting = setUp(budget);
    const { listener, reader } = setting;
    listener.onMessage = (bytes) => {
      listener.heard.push(textOf(bytes));
      reader.hold();
    };
    reader.hold();
    return setting;
  }

  test('takes the memory of its bytes, also where they come one by one', () => {
    const { reader, budget } = setUpHolding(new BodyBudget(1 << 22));
    const byte = Buffer.alloc(1);
    const before = process.memoryUsage();
    for (let count = 0; count < 1_000_000; count++) reader.feed(byte, 0, 1);
    const after = process.memoryUsage();
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(20_000_000);
    expect(budget.used).toBeLessThan(2_000_000);
  });

  test('is not copied again for each message that is let through', () => {
    let takes = 0;
    class CountingBudget extends BodyBudget {
      override take(bytes: number): void {
        takes++;
        super.take(bytes);
      }
    }
    const { listener, reader, budget } = setUpHolding(new CountingBudget(1 << 22));
    const one = framed(Buffer.alloc(195));
    const chunk = Buffer.concat(Array.from({ length: 100 }, () => one));
    for (let count = 0; count < 100; count++) reader.feed(chunk, 0, chunk.length);
    for (let count = 1; count <= 10_000; count++) {
      reader.release();
      expect(listener.heard).toHaveLength(count);
    }
    expect([takes <= 100, budget.used, listener.taken]).toEqual([true, 0, 2_000_000]);
  });

  test('goes back where the budget does not allow for what is put together of it', () => {
    const limit = 200_000;
    const { reader, budget } = setUpHolding(new BodyBudget(limit));
    const bytes = framed(Buffer.alloc(60_000)).subarray(0, 30_000);
    for (let at = 0; at < bytes.length; at += 10_000) reader.feed(bytes, at, at + 10_000);
    const others = limit - budget.used;
    budget.take(others);
    expect(() => reader.release()).toThrow('try again later');
    budget.give(others);
    reader.stop();
    expect(budget.used).toBe(0);
  });

  test('is read to its end before that is told, also by a sink that holds and releases at once', () => {
    const { listener, reader } = setUp();
    listener.onCompressed = () => {
      reader.hold();
      listener.heard.push('inflated');
      reader.release();
    };
    reader.hold();
    for (const bytes of [framed(Buffer.alloc(0), true), framed(Buffer.from('second'))]) {
      reader.feed(bytes, 0, bytes.length);
    }
    reader.end();
    reader.release();
    expect(listener.heard).toEqual(['inflated', textOf(Buffer.from('second')), 'end']);
  });

  test('is not waited for by pieces of a message that has begun', () => {
    const { listener, reader, budget } = setUp();
    const long = Buffer.alloc(100_000, 1);
    const bytes = Buffer.concat([framed(long), framed(Buffer.from('next'))]);
    reader.feed(bytes, 0, 50_000);
    reader.hold();
    reader.feed(bytes, 50_000, bytes.length);
    expect([listener.heard, budget.used]).toEqual([[textOf(long)], 9]);
    reader.release();
    expect(listener.heard).toEqual([textOf(long), textOf(Buffer.from('next'))]);
  });
});
