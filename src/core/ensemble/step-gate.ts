import { Fifo } from '../../base/fifo.js';
import type { StepRun } from './step-run.js';

/** Who sends a step to its model when it is let in. */
export interface StepSender {
  sendStep(run: StepRun): void;
}

interface Waiting {
  readonly run: StepRun;
  readonly sender: StepSender;
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

  enter(run: StepRun, sender: StepSender): void {
    this.#waiting.push({ run, sender });
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
      const { run, sender } = this.#waiting.shift();
      // Its request may have ended while it waited.
      if (run.isOver) continue;
      this.#inside++;
      run.isInside = true;
      sender.sendStep(run);
    }
    this.#isLettingIn = false;
  }
}
