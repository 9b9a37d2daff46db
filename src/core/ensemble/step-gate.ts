import { Fifo } from '../../base/fifo.js';
import type { EnsembleRequest } from './ensemble-request.js';
import type { StepRun } from './step-run.js';

interface Waiting {
  readonly run: StepRun;
  readonly request: EnsembleRequest;
}

/** `max_inflight_requests` of one step: so many requests at its model at once, of all requests to the ensemble; others wait in their order. */
export class StepGate {
  readonly #limit: number;
  readonly #waiting = new Fifo<Waiting>();
  #inside = 0;
  #isLettingIn = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  enter(run: StepRun, request: EnsembleRequest): void {
    this.#waiting.push({ run, request });
    this.#letIn();
  }

  /** For each that was let in. */
  leave(): void {
    this.#inside--;
    this.#letIn();
  }

  /** One after the other: of what is let in, much may leave at once, and none of that may pile up on the stack. */
  #letIn(): void {
    if (this.#isLettingIn) return;
    this.#isLettingIn = true;
    while (this.#inside < this.#limit && this.#waiting.length > 0) {
      const { run, request } = this.#waiting.shift();
      // Its request may have ended while it waited.
      if (run.isOver) continue;
      this.#inside++;
      run.isInside = true;
      request.sendStep(run);
    }
    this.#isLettingIn = false;
  }
}
