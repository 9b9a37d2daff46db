import { expect, test } from 'vitest';
import { MessageCounter } from '../../../bench/grpc/message-counter.js';
import { framed } from '../../../bench/grpc/messages.js';

const bytes = Buffer.concat([Buffer.of(0x12, 1, 2), Buffer.of(0x12), Buffer.of(0x12, 3)].map(framed));

test('messages are counted wherever their bytes are cut', () => {
  for (let size = 1; size <= bytes.length; size++) {
    const counter = new MessageCounter(0x12);
    let count = 0;
    for (let at = 0; at < bytes.length; at += size) count += counter.feed(bytes, at, Math.min(bytes.length, at + size));
    expect(count).toBe(3);
    expect(counter.isBetween).toBe(true);
  }
});

test('an error in band is refused', () => {
  const error = framed(Buffer.of(0x0a, 1, 0x78));
  expect(() => new MessageCounter(0x12).feed(error, 0, error.length)).toThrow('answered with an error');
});
