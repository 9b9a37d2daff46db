import type { BatchOutputs } from '../../backends/batch-outputs.js';
import { Step } from './step.js';

/**
 * One iteration of a request to an iterative model. It is over when its execution is and its model has said, before or after that, that the request
 * has its last answer or runs again.
 */
export class IterativeStep extends Step {
  #isExecuted = false;
  #isAnswered = false;
  #isAgain = false;

  override complete(outputs: BatchOutputs, index: number, firstRow: number): void {
    this.sequenceOf.stateKey = outputs.batch.stateKey;
    const sequel = this.request.sequelOf(outputs, index);
    this.#isExecuted = true;
    this.#isAgain ||= sequel === 'again';
    this.#isAnswered ||= sequel === 'over';
    if (this.#isAnswered) this.end(null);
    this.request.complete(outputs, index, firstRow);
    if (!this.#isAnswered && this.#isAgain) this.#goOn();
  }

  override respond(outputs: BatchOutputs | null, isFinal: boolean): void {
    this.#isAnswered ||= isFinal;
    if (isFinal && this.#isExecuted) this.end(null);
    this.request.respond(outputs, isFinal);
  }

  override reschedule(): void {
    this.#isAgain = true;
    if (this.#isExecuted) this.#goOn();
  }

  #goOn(): void {
    const error = this.owner.onStepAgain(this);
    if (error !== null) this.fail(error, 'CANCELED');
  }
}
