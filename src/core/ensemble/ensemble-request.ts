import { assert } from '../../base/assert.js';
import type { FailureReason } from '../../telemetry/statistics.js';
import type { Trace } from '../../telemetry/trace/trace.js';
import { asServerError, invalid, ServerError } from '../../types/errors.js';
import type { ParameterValue, SequenceFlags } from '../../types/infer.js';
import { type InferPlan, requestTag } from '../check-request.js';
import { checkInputStrings } from '../check-strings.js';
import { type Explanation, explainSteps } from '../explanation.js';
import type { AcceptedRequest, InferResponse, Responder } from '../infer-response.js';
import type { PlacedTensor, RequestInputs, SourceReader } from '../request-inputs.js';
import { nanoseconds, traceInputs, traceOutputs } from '../request-trace.js';
import type { EnsemblePlan } from './ensemble-plan.js';
import { type AnsweredRequest, type AnsweringEnsemble, EmptyResponse, EnsembleResponse } from './ensemble-response.js';
import { Flow, type FlowOwner } from './flow.js';
import { Source } from './source.js';
import type { StepRun } from './step-run.js';

/** Where the tensors of a request lie: in memory of its own, or where another ensemble has them. */
export type EnsembleInputs =
  | { readonly kind: 'own'; readonly memory: RequestInputs }
  | { readonly kind: 'others'; readonly sources: readonly PlacedTensor[]; readonly reader: SourceReader };

/** The ensemble that a request is for. */
export interface EnsembleHost extends AnsweringEnsemble {
  readonly nowUs: number;
  /** How requests of this plan go through it. */
  stepsOf(plan: InferPlan): EnsemblePlan;
  /** Takes the request over. Throws UNAVAILABLE where it takes nothing new. */
  enqueue(request: EnsembleRequest): void;
  /** Begins it (`begin`), now or together with others. */
  start(request: EnsembleRequest): void;
  /** Sends the step (`sendStep`), now or when it is its turn. */
  stepBegins(run: StepRun, request: EnsembleRequest): void;
  stepEnded(run: StepRun, request: EnsembleRequest): void;
  onSucceeded(request: EnsembleRequest): void;
  onFailed(request: EnsembleRequest, reason: FailureReason, message: string): void;
  /** The request is over, and has given its memory back. */
  letGo(): void;
}

/** filling: its data arrives. running: its steps do. over: it has answered, or never will. */
type RequestState = 'filling' | 'running' | 'over';

/**
 * One request to an ensemble: sends its tensors through the steps and answers with what comes out. It runs no thread and has no queue of its own: its steps
 * wait in those of their models.
 */
export class EnsembleRequest implements AcceptedRequest, FlowOwner, AnsweredRequest {
  readonly model: EnsembleHost;
  readonly plan: InferPlan;
  readonly steps: EnsemblePlan;
  readonly rows: number;
  /** When its data was complete, monotonic microseconds. */
  arrivedUs = 0;
  trace: Trace | null = null;
  requestId = '';
  isTimed = false;
  /** Of all its steps together. */
  inputUs = 0;
  inferUs = 0;
  outputUs = 0;
  readonly #inputs: EnsembleInputs;
  readonly #responder: Responder;
  readonly #sequence: SequenceFlags;
  #state: RequestState = 'filling';
  #root: Flow | null = null;
  #error: ServerError | null = null;
  #isCancelled = false;
  #hasInputs = true;
  /** Answers that the responder has not released, but the last. */
  #held = 0;
  /** What its steps say of their time; null = they say nothing. */
  #explained: Explanation[] | null = null;
  /** Those that wait or run. */
  readonly #runs: StepRun[] = [];

  constructor(
    model: EnsembleHost,
    plan: InferPlan,
    inputs: EnsembleInputs,
    responder: Responder,
    sequence: SequenceFlags,
  ) {
    this.model = model;
    this.plan = plan;
    this.steps = model.stepsOf(plan);
    this.rows = Math.max(1, plan.batchSize);
    this.#inputs = inputs;
    this.#responder = responder;
    this.#sequence = sequence;
  }

  get isAborted(): boolean {
    return this.#error !== null || this.#isCancelled;
  }

  get explanation(): Explanation | null {
    return this.isTimed || this.plan.head.explain === true ? explainSteps(this, this.#explained ?? []) : null;
  }

  /** Null = it belongs to no sequence. */
  get sequenceParameters(): ReadonlyMap<string, ParameterValue> | null {
    const { sequenceId, sequenceStart, sequenceEnd } = this.#sequence;
    if (sequenceId === 0 || sequenceId === '') return null;
    return new Map<string, ParameterValue>([
      ['sequence_id', sequenceId],
      ['sequence_start', sequenceStart],
      ['sequence_end', sequenceEnd],
    ]);
  }

  inputBegin(nth: number): number {
    return this.#inputs.kind === 'own' ? this.#inputs.memory.begin(nth) : this.#inputs.sources[nth]!.begin;
  }

  inputBytes(nth: number): number {
    return this.#inputs.kind === 'own' ? this.#inputs.memory.bytes(nth) : this.#inputs.sources[nth]!.bytes;
  }

  submit(): void {
    assert(this.#state === 'filling', 'a request was submitted twice');
    try {
      if (this.#inputs.kind === 'own') checkInputStrings(this);
      if (this.trace !== null) traceInputs(this.trace, this);
      this.model.enqueue(this);
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.#state = 'running';
    this.model.start(this);
  }

  abandon(): void {
    assert(this.#state === 'filling', 'a submitted request was abandoned');
    this.#state = 'over';
    this.trace?.end();
    this.release();
  }

  cancel(): void {
    if (this.#state === 'filling') this.abandon();
    if (this.#state !== 'running' || this.#isCancelled) return;
    this.#isCancelled = true;
    this.#root?.abandon();
    const runs = this.#runs.splice(0);
    // First of all: when one of them leaves a gate, none of the others enters it, and what ends meanwhile is not looked at.
    for (const run of runs) run.isOver = true;
    for (const run of runs) {
      if (run.request === null) run.flow.onInputsRead(run.place);
      else run.request.cancel();
      this.model.stepEnded(run, this);
    }
    this.#fail('CANCELED', '');
  }

  startStep(run: StepRun): void {
    this.#runs.push(run);
    this.model.stepBegins(run, this);
  }

  /** For the ensemble: it is the step's turn. */
  sendStep(run: StepRun): void {
    try {
      run.request = this.#admitStep(run);
      if (this.trace !== null) run.request.trace = this.trace.child(run.request.model.name, run.request.model.version);
    } catch (error) {
      this.#abort(asServerError(error));
      return;
    }
    try {
      run.request.submit();
    } catch (error) {
      this.stepFailed(run, asServerError(error));
    }
  }

  stepFailed(run: StepRun, error: ServerError): void {
    this.#abort(error);
    this.runEnded(run);
  }

  runEnded(run: StepRun): void {
    // Also while all are cancelled, one after the other.
    if (run.isOver) return;
    run.isOver = true;
    run.request = null;
    this.#forget(run);
    this.model.stepEnded(run, this);
    if (this.#runs.length === 0 && this.#error !== null) this.#deliverError(this.#error);
  }

  onAnswer(flow: Flow, isLast: boolean): void {
    const isOnly = this.steps.route.depth === 0;
    if (isOnly && this.steps.route.outputs.some((tensor) => flow.sources[tensor] === null)) {
      this.#unset(flow);
      return;
    }
    const response = new EnsembleResponse(this, flow, isLast);
    this.#traceOutputs(response);
    if (isLast) this.#succeed();
    else this.#held++;
    this.#responder.onResponse(response);
  }

  onReleased(): void {
    this.#held--;
  }

  onStalled(run: StepRun): boolean {
    if (this.#held === 0) return false;
    if (this.#responder.onStalled === undefined) {
      this.stepFailed(run, new ServerError('UNAVAILABLE', 'no answer was read (--response-timeout-secs)'));
      return true;
    }
    if (!this.#responder.onStalled()) return false;
    this.cancel();
    return true;
  }

  onOver(): void {
    if (this.#state === 'over') return;
    this.#succeed();
    this.#responder.onResponse(new EmptyResponse(this));
  }

  /** Nobody reads its inputs any more. */
  release(): void {
    if (!this.#hasInputs) return;
    this.#hasInputs = false;
    if (this.#inputs.kind === 'own') this.#inputs.memory.give(this.rows);
    else this.#inputs.reader.onSourcesRead();
    if (this.#state === 'over') this.model.letGo();
  }

  /** For its group, which has its only answer. */
  answer(response: InferResponse): void {
    if (this.#state === 'over') {
      response.release();
      return;
    }
    this.addTimes(response);
    this.#traceOutputs(response);
    this.#succeed();
    this.#responder.onResponse(response);
  }

  /** For its group, which has failed. */
  fail(error: ServerError): void {
    this.#deliverError(error);
  }

  addTimes(response: InferResponse): void {
    this.inputUs += response.inputUs;
    this.inferUs += response.inferUs;
    this.outputUs += response.outputUs;
    const { explanation } = response;
    if (explanation !== null) this.#explained = [...(this.#explained ?? []), explanation];
  }

  /** For the ensemble. */
  begin(): void {
    // It was cancelled while it waited for others.
    if (this.#state === 'over') {
      this.release();
      return;
    }
    const root = new Flow(this, null);
    this.#root = root;
    const source = new Source(this);
    const { inputs } = this.plan;
    for (let nth = 0; nth < inputs.length; nth++) {
      const { index, backendDims } = inputs[nth]!;
      root.put(index, source, this.inputBegin(nth), this.inputBytes(nth), backendDims);
    }
    if (!source.isRead) this.release();
    for (let index = 0; index < this.model.tensors.inputs.length; index++) root.settle(index);
    root.proceed();
  }

  #forget(run: StepRun): void {
    const last = this.#runs.pop()!;
    if (last !== run) this.#runs[this.#runs.indexOf(run)] = last;
  }

  #admitStep(run: StepRun): AcceptedRequest {
    const { flow, place } = run;
    const { plan, outputShapes } = this.steps.planStep(place, this.plan.head, flow);
    const { inputs, step } = this.steps.route.steps[place]!;
    const sources: PlacedTensor[] = [];
    for (const { tensor } of inputs) {
      if (flow.sources[tensor] !== null) sources.push({ begin: flow.begins[tensor]!, bytes: flow.bytes[tensor]! });
    }
    run.outputShapes = outputShapes;
    const request = step.model.admitSources(plan, sources, run, this.#sequence);
    request.requestId = this.requestId;
    request.isTimed = this.isTimed;
    return request;
  }

  /** No step begins any more; the error is told when those that run have ended. */
  #abort(error: ServerError): void {
    if (this.isAborted) return;
    this.#error = new ServerError(error.code, `in ensemble '${this.model.name}', ${error.message}`);
    this.#root!.abandon();
    for (const run of [...this.#runs]) {
      if (run.request !== null || run.isOver) continue;
      run.flow.onInputsRead(run.place);
      this.runEnded(run);
    }
  }

  #traceOutputs(response: InferResponse): void {
    if (this.trace !== null) traceOutputs(this.trace, response, this.model.tensors.outputs);
  }

  #unset(flow: Flow): void {
    flow.releaseAnswer();
    const why = 'unexpected deadlock, at least one output is not set while no more ensemble steps can be made';
    this.#error = invalid(`in ensemble '${this.model.name}', ${requestTag(this.plan.head.id)}${why}`);
    this.#deliverError(this.#error);
  }

  #succeed(): void {
    this.#end();
    this.model.onSucceeded(this);
  }

  #deliverError(error: ServerError): void {
    if (this.#state === 'over') return;
    this.#fail('OTHER', error.message);
    this.#responder.onError(error);
  }

  #fail(reason: FailureReason, message: string): void {
    this.#end();
    this.model.onFailed(this, reason, message);
  }

  #end(): void {
    this.#state = 'over';
    if (this.trace !== null) this.#record(this.trace);
    if (!this.#hasInputs) this.model.letGo();
  }

  #record(trace: Trace): void {
    trace.stamp('REQUEST_START', nanoseconds(this.arrivedUs));
    trace.stamp('REQUEST_END', nanoseconds(this.model.nowUs));
    trace.end();
  }
}
