import type { ExecutionTimes } from '../backends/batch-outputs.js';
import { InferRequest } from '../backends/request.js';
import { assert } from '../base/assert.js';
import type { Deliverable } from '../schedulers/response-order.js';
import type { FailureReason, ModelStatistics } from '../telemetry/statistics.js';
import type { Trace } from '../telemetry/trace/trace.js';
import type { ServerError } from '../types/errors.js';
import type { SequenceFlags } from '../types/infer.js';
import type { InferPlan } from './check-request.js';
import { checkInputStrings } from './check-strings.js';
import type { AcceptedRequest, Responder } from './infer-response.js';
import type { AnsweringModel } from './model-response.js';
import type { ReadWatch } from './read-watch.js';
import {
  type InputSpace,
  type PlacedTensor,
  RequestInputs,
  type RowQueue,
  type SourceReader,
} from './request-inputs.js';
import { traceInputs } from './request-trace.js';
import { NOTHING_SPENT, type SpentTimes, spentWith } from './spent-times.js';

/** filling: its memory is taken, its data arrives. submitted: the scheduler's, or its model's. over: nothing comes of it any more. */
type RequestStage = 'filling' | 'submitted' | 'over';

/** The model that a request is for, as its requests see it. */
export interface RequestModel extends AnsweringModel, InputSpace {
  readonly statistics: ModelStatistics;
  readonly nowUs: number;
  /** Who reads the answers of decoupled requests; null = nobody looks. */
  readonly watch: ReadWatch | null;
  /** Takes the request over. Throws where it cannot be queued. */
  enqueue(request: AdmittedRequest): void;
  cancel(request: AdmittedRequest): void;
  /** Its memory was given back before it was queued. */
  onAbandoned(): void;
  /** Nobody's answers go before its. */
  isTurnOf(request: AdmittedRequest): boolean;
  /** Nothing more will be delivered to its client than what it has: that, when it is its turn. */
  deliver(request: AdmittedRequest): void;
  onCompleted(request: AdmittedRequest, times: ExecutionTimes): void;
  onFailed(request: AdmittedRequest, reason: FailureReason, error: ServerError): void;
  /** It was delivered before. @param failure null = it ended well, and `times` are those of its execution */
  onEnded(request: AdmittedRequest, failure: FailureReason | null, times: ExecutionTimes | null): void;
}

/** One request to one model, from the moment its tensors have a place until its model has done with it. */
export abstract class AdmittedRequest extends InferRequest implements AcceptedRequest, Deliverable {
  readonly model: RequestModel;
  readonly plan: InferPlan;
  readonly rows: number;
  readonly batchKey: string;
  readonly priority: number;
  readonly timeoutUs: number;
  sequence: SequenceFlags;
  trace: Trace | null = null;
  isTimed = false;
  /** In executions before the last, of a request that ran again. */
  spent: SpentTimes = NOTHING_SPENT;
  /** When its data was complete and it was accepted, monotonic microseconds (R0 of the fact sheet, section 6). */
  arrivedUs = 0;
  protected readonly responder: Responder;
  protected stage: RequestStage = 'filling';
  /** Of the execution that ended; null = none has, or it runs again. */
  protected times: ExecutionTimes | null = null;
  readonly #inputs: RequestInputs;
  /** Strings of others have been checked where they came from. */
  #hasOwnStrings = true;

  constructor(model: RequestModel, plan: InferPlan, responder: Responder, sequence: SequenceFlags) {
    super();
    this.model = model;
    this.plan = plan;
    this.rows = Math.max(1, plan.batchSize);
    this.batchKey = plan.batchKey;
    this.priority = plan.head.priority;
    this.timeoutUs = plan.head.timeoutUs;
    this.sequence = sequence;
    this.responder = responder;
    this.#inputs = new RequestInputs(model, plan, sequence);
  }

  abstract deliver(): void;
  abstract onTurn(): void;

  get slotOffset(): number {
    return this.#inputs.slotOffset;
  }

  get row(): number {
    return this.#inputs.row;
  }

  /** Takes memory for inputs of these sizes, in the order of the plan; false = there is no room. */
  take(sizes: readonly number[], queue: RowQueue): boolean {
    return this.#inputs.take(sizes, this.rows, queue);
  }

  /** Reads its inputs where they are; false = there is no room to say where that is. */
  takeTable(sources: readonly PlacedTensor[], reader: SourceReader): boolean {
    this.#hasOwnStrings = false;
    return this.#inputs.takeTable(sources, reader);
  }

  inputBegin(nth: number): number {
    return this.#inputs.begin(nth);
  }

  inputBytes(nth: number): number {
    return this.#inputs.bytes(nth);
  }

  override runAgain(): void {
    this.spent = spentWith(this.spent, this.queuedUs, this.times!);
    this.times = null;
    this.sequence = { ...this.sequence, sequenceStart: false, sequenceEnd: false };
    this.#inputs.changeFlags(this.sequence);
  }

  submit(): void {
    assert(this.stage === 'filling', 'a request was submitted twice');
    try {
      if (this.#hasOwnStrings) checkInputStrings(this);
      if (this.trace !== null) traceInputs(this.trace, this);
      this.stage = 'submitted';
      this.model.enqueue(this);
    } catch (error) {
      this.stage = 'filling';
      this.abandon();
      throw error;
    }
  }

  abandon(): void {
    assert(this.stage === 'filling', 'a submitted request was abandoned');
    this.close();
    this.trace?.end();
    this.model.onAbandoned();
  }

  cancel(): void {
    if (this.stage === 'filling') this.abandon();
    else if (this.stage === 'submitted') this.model.cancel(this);
    // Its answer may be kept back until those before it are there.
    else this.cancelled = true;
  }

  /** Nobody reads its inputs any more. */
  protected close(): void {
    this.#inputs.give(this.rows);
    this.stage = 'over';
  }
}
