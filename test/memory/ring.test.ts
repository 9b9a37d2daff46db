import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DONE, ENTRY_ROW, RING_BATCHES } from '../../src/memory/layout.js';
import { RingConsumer, RingMemory, RingProducer, readText } from '../../src/memory/ring.js';

const MAX_ENTRIES = 4;

function ring() {
  const buffer = RingMemory.create(MAX_ENTRIES);
  const memory = new RingMemory(buffer, MAX_ENTRIES);
  return { memory, producer: new RingProducer(memory), consumer: new RingConsumer(memory) };
}

test('each request is sealed once, in order, whatever the turns of the two threads', () => {
  const turns = fc.array(fc.constantFrom('append', 'work', 'reap', 'edit'), { maxLength: 400 });
  fc.assert(
    fc.property(turns, (steps) => {
      const { memory, producer, consumer } = ring();
      const open: number[] = [];
      const expected: number[] = [];
      const sealed: number[] = [];
      let next = 0;
      let running = 0;
      for (const step of steps) {
        if (step === 'append') {
          if (producer.inFlight > 0 && producer.isOpen(producer.newest)) {
            if (open.length === MAX_ENTRIES) continue;
            expect(producer.append(producer.newest, open.length, 0, next, 1)).toBe(true);
          } else {
            if (producer.full) continue;
            open.length = 0;
            producer.write(producer.next, 0, 0, next, 1);
            producer.open(0, 0, 1);
          }
          open.push(next++);
        } else if (step === 'edit') {
          if (producer.inFlight === 0 || !producer.isOpen(producer.newest) || open.length < 2) continue;
          expect(producer.edit(producer.newest, open.length)).toBe(true);
          open.pop();
          producer.reopen(producer.newest, open.length);
        } else if (step === 'reap') {
          while (producer.inFlight > 0 && producer.stateOf(producer.oldest) === DONE) producer.release();
        } else {
          if (running > 0) {
            consumer.done();
            running = 0;
          }
          if (producer.inFlight === 0 || !producer.isOpen(producer.newest)) continue;
          running = consumer.next();
          expect(running).toBe(open.length);
          for (let i = 0; i < running; i++) sealed.push(memory.words[memory.entry(consumer.base, i) + ENTRY_ROW]!);
          expected.push(...open);
        }
      }
      expect(sealed).toEqual(expected);
    }),
  );
});

test('an append to a sealed batch fails and changes nothing', () => {
  const { producer, consumer } = ring();
  producer.write(producer.next, 0, 0, 1, 1);
  producer.open(0, 0, 1);
  expect(consumer.next()).toBe(1);
  expect(producer.append(producer.newest, 1, 0, 2, 1)).toBe(false);
  expect(producer.isOpen(producer.newest)).toBe(false);
});

test('a retracted batch was never there', () => {
  const { producer } = ring();
  producer.write(producer.next, 0, 0, 1, 1);
  producer.open(0, 0, 1);
  expect(producer.edit(producer.newest, 1)).toBe(true);
  producer.retract();
  expect(producer.inFlight).toBe(0);
});

test('the ring is full with the batches that were not released', () => {
  const { producer, consumer } = ring();
  for (let i = 0; i < RING_BATCHES; i++) {
    expect(producer.full).toBe(false);
    producer.write(producer.next, 0, 0, i, 1);
    producer.open(0, 0, 1);
    consumer.next();
    consumer.done();
  }
  expect(producer.full).toBe(true);
  producer.release();
  expect(producer.full).toBe(false);
});

test('stop ends a consumer that has nothing to do', () => {
  const { producer, consumer } = ring();
  producer.stop();
  expect(consumer.next()).toBe(0);
});

test('an error text crosses whole, and cut where it is longer than its place', () => {
  const { memory, consumer } = ring();
  consumer.writeText('tensor ä is wrong');
  expect(readText(memory, consumer.base)).toBe('tensor ä is wrong');
  consumer.writeText('x'.repeat(10_000));
  expect(readText(memory, consumer.base)).toBe('x'.repeat(4096));
});
