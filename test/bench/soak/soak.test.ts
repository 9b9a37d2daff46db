import { describe, expect, test } from 'vitest';
import { Random } from '../../../bench/load/random.js';
import { readAnswer } from '../../../bench/soak/answer.js';
import { byLabel } from '../../../bench/soak/observed-server.js';
import { SequenceIds } from '../../../bench/soak/soak-sequence.js';
import { Twin } from '../../../bench/soak/twin.js';
import { MessageType } from '../../../src/protocols/grpc/proto.js';

test('a twin depends on the order of all inputs since its start', () => {
  const twin = new Twin();
  expect(twin.step(1, true)).toEqual({ hash: 1, count: 1 });
  expect(twin.step(2, false)).toEqual({ hash: 33, count: 2 });
  expect(twin.step(5, true)).toEqual({ hash: 5, count: 1 });
});

test('numbers repeat with their seed and are spread', () => {
  const [one, same, other] = [new Random(3), new Random(3), new Random(4)];
  const several = (random: Random) => Array.from({ length: 1000 }, () => random.between(0, 10));
  const numbers = several(one);
  expect(several(same)).toEqual(numbers);
  expect(several(other)).not.toEqual(numbers);
  expect([...new Set(numbers)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('ids are used again a second after their client went, and others never', () => {
  const ids = new SequenceIds(new Random(1));
  const [first] = [ids.begin(0).id];
  ids.leave(first, 0);
  const early = Array.from({ length: 20 }, () => ids.begin(999).id);
  expect(new Set([first, ...early]).size).toBe(21);
  for (const id of early) ids.leave(id, 1000);
  const late = Array.from({ length: 40 }, () => ids.begin(2000).id);
  expect(new Set(late).size).toBe(40);
  expect(late.some((id) => id <= early.at(-1)!)).toBe(true);
});

describe('an answer', () => {
  const output = Buffer.alloc(24);
  [77, 3, 123].forEach((value, nth) => {
    output.writeBigInt64LE(BigInt(value), 8 * nth);
  });
  const values = { id: 5, error: null, hash: 77, count: 3, sequenceId: 123 };

  test('of gRPC is read in full', () => {
    const response = new MessageType('inference.ModelStreamInferResponse');
    const infer_response = { id: '00000005', raw_output_contents: [output] };
    expect(readAnswer('grpc', Buffer.from(response.encode({ infer_response })))).toEqual(values);
    const failed = Buffer.from(response.encode({ error_message: 'no', infer_response: { id: '5' } }));
    expect(readAnswer('grpc', failed)).toMatchObject({ id: 5, error: 'no' });
  });

  test('of WebSocket is read in full', () => {
    const head = Buffer.from('{"id":"00000005"}');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(head.length);
    expect(readAnswer('ws', Buffer.concat([length, head, output]))).toEqual(values);
    expect(readAnswer('ws', Buffer.from('{"id":"5","error":"no"}'))).toMatchObject({ id: 5, error: 'no' });
  });
});

test('a metrics page is read by one of its labels', () => {
  const page = [
    '# TYPE conch_sequences_live gauge',
    'conch_sequences_live{model="soak",version="1",place="slot"} 12',
    'conch_sequences_live{model="soak",version="1",place="backlog"} 0',
    'conch_sequences_live_other{place="slot"} 5',
  ].join('\n');
  expect(Object.fromEntries(byLabel(page, 'conch_sequences_live', 'place'))).toEqual({ slot: 12, backlog: 0 });
});
