import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Deliverable, ResponseOrder } from '../../src/schedulers/response-order.js';

class Request implements Deliverable {
  readonly #number: number;
  readonly #delivered: number[];

  constructor(number: number, delivered: number[]) {
    this.#number = number;
    this.#delivered = delivered;
  }

  deliver(): void {
    this.#delivered.push(this.#number);
  }

  onTurn(): void {}
}

function entered(order: ResponseOrder, count: number, delivered: number[]): Request[] {
  const requests = Array.from({ length: count }, (_, number) => new Request(number, delivered));
  for (const request of requests) order.enter(request);
  return requests;
}

test('an answer waits for those of all earlier requests, and goes with them', () => {
  const delivered: number[] = [];
  const order = new ResponseOrder();
  const [first, second, third] = entered(order, 3, delivered);
  order.answer(third!);
  order.answer(second!);
  expect(delivered).toEqual([]);
  order.answer(first!);
  expect(delivered).toEqual([0, 1, 2]);
});

test('a request that was refused keeps nobody waiting', () => {
  const delivered: number[] = [];
  const order = new ResponseOrder();
  const [first, second] = entered(order, 2, delivered);
  order.leave(second!);
  const third = new Request(2, delivered);
  order.enter(third);
  order.answer(third);
  order.answer(first!);
  expect(delivered).toEqual([0, 2]);
});

test('whatever the order of answers, each is delivered once, in the order of requests, and none later than need be', () => {
  const answers = fc.nat({ max: 30 }).chain((count) => {
    const numbers = Array.from({ length: count }, (_, number) => number);
    return fc.shuffledSubarray(numbers, { minLength: count });
  });
  fc.assert(
    fc.property(answers, (numbers) => {
      const delivered: number[] = [];
      const order = new ResponseOrder();
      const requests = entered(order, numbers.length, delivered);
      const answered = new Set<number>();
      for (const number of numbers) {
        order.answer(requests[number]!);
        answered.add(number);
        const due = numbers.findIndex((_, index) => !answered.has(index));
        const expected = due < 0 ? numbers.length : due;
        expect(delivered).toEqual(Array.from({ length: expected }, (_, index) => index));
      }
    }),
  );
});
