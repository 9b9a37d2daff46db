import type { BatchOutputs } from '../../backends/batch-outputs.js';
import { InferRequest, type RequestRunner } from '../../backends/request.js';
import type { FailureReason } from '../../telemetry/statistics.js';
import type { ServerError } from '../../types/errors.js';
import type { SequenceFlags } from '../../types/infer.js';
import type { Sequence } from './sequence.js';

/** Who gave a step to its instance; told that it ended before its request is. */
export interface StepOwner {
  /** @param failure null = it ended well */
  onStepEnded(step: Step, failure: FailureReason | null): void;
  /** It ended, and its request waits again, without flags: null. Else why the request fails; the step has not ended then. */
  onStepAgain(step: Step): ServerError | null;
}

/** A request of a sequence at its instance: the request with its state, and with somebody who hears of its end. */
export class Step extends InferRequest {
  readonly sequenceOf: Sequence;
  readonly request: InferRequest;
  readonly rows = 1;
  readonly batchKey: string;
  readonly priority = 0;
  readonly timeoutUs = 0;
  readonly slotOffset: number;
  readonly row: number;
  readonly sequence: SequenceFlags;
  override readonly state: number;
  readonly isFresh: boolean;
  protected readonly owner: StepOwner;
  /** Its execution is over. */
  #hasEnded = false;

  constructor(
    of: Sequence,
    request: InferRequest,
    batchKey: string,
    kept: { state: number; isFresh: boolean },
    owner: StepOwner,
  ) {
    super();
    this.sequenceOf = of;
    this.request = request;
    this.requestId = request.requestId;
    this.batchKey = batchKey;
    this.slotOffset = request.slotOffset;
    this.row = request.row;
    this.sequence = request.sequence;
    this.state = kept.state;
    this.isFresh = kept.isFresh;
    this.owner = owner;
  }

  override complete(outputs: BatchOutputs, index: number, firstRow: number): void {
    this.sequenceOf.stateKey = outputs.batch.stateKey;
    this.end(null);
    this.request.complete(outputs, index, firstRow);
  }

  override get unread(): number {
    return this.request.unread;
  }

  override respond(outputs: BatchOutputs | null, isFinal: boolean): void {
    this.request.respond(outputs, isFinal);
  }

  override watch(runner: RequestRunner | null): void {
    this.request.watch(runner);
  }

  /** The instance of a decoupled model may die between the end of the execution and the last answer. */
  override fail(error: ServerError, reason: FailureReason): void {
    this.end(reason);
    this.request.fail(error, reason);
  }
  /** Tells its owner, once. @param failure null = it ended well */
  protected end(failure: FailureReason | null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.owner.onStepEnded(this, failure);
  }
}
