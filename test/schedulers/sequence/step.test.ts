import { expect, test } from 'vitest';
import type { BatchOutputs } from '../../../src/backends/batch-outputs.js';
import { Sequence } from '../../../src/schedulers/sequence/sequence.js';
import { Step, type StepOwner } from '../../../src/schedulers/sequence/step.js';
import { invalid } from '../../../src/types/errors.js';
import { FakeRequest } from '../../fakes/request.js';

const outputs = { batch: { stateKey: 'k' } } as BatchOutputs;

/** A request that may be answered any number of times. */
class ManyRequest extends FakeRequest {
  readonly heard: string[] = [];

  override get unread(): number {
    return this.heard.length;
  }

  override respond(_outputs: BatchOutputs | null, isFinal: boolean): void {
    this.heard.push(isFinal ? 'last' : 'more');
  }

  override complete(): void {
    this.heard.push('executed');
  }
}

function stepOf(request: FakeRequest): { step: Step; ends: (string | null)[] } {
  const ends: (string | null)[] = [];
  const onStepEnded: StepOwner['onStepEnded'] = (_, failure) => void ends.push(failure);
  const owner: StepOwner = { onStepEnded, onStepAgain: () => null };
  return { step: new Step(new Sequence(1, 0), request, '', { state: 0, isFresh: true }, owner), ends };
}

test('what its model answers, and who reads it, is the affair of its request', () => {
  const request = new ManyRequest('a');
  const { step, ends } = stepOf(request);
  const reads: string[] = [];
  step.watch({ onRead: () => reads.push('read'), onCancelled: () => reads.push('cancelled') });
  step.respond(null, false);
  step.complete(outputs, 0, 0);
  step.respond(null, true);
  expect([request.heard, step.unread, ends]).toEqual([['more', 'executed', 'last'], 3, [null]]);
  request.onRead();
  request.cancelled = true;
  expect(reads).toEqual(['read', 'cancelled']);
});

test('it ends once, also where its instance dies between its execution and its last answer', () => {
  const request = new ManyRequest('a');
  const { step, ends } = stepOf(request);
  step.complete(outputs, 0, 0);
  step.fail(invalid('died'), 'BACKEND');
  expect([ends, request.ended]).toEqual([[null], 'BACKEND INVALID_ARGUMENT died']);
  const other = stepOf(new FakeRequest('b'));
  other.step.fail(invalid('died'), 'BACKEND');
  expect(other.ends).toEqual(['BACKEND']);
});
