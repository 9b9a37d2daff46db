import type { BatchOutputs, ExecutionTimes } from '../backends/batch-outputs.js';
import { outOfMemory } from '../backends/failures.js';
import type { Instance, InstanceEvents } from '../backends/instance.js';
import { type GroupEvents, InstanceGroup } from '../backends/instance-group.js';
import type { InstanceSpec } from '../backends/instance-spec.js';
import type { InferRequest } from '../backends/request.js';
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { ModelConfig } from '../config/model-config.js';
import type { Arena } from '../memory/arena.js';
import type { RowPlanes } from '../memory/planes.js';
import { notFound } from '../repository/lookup.js';
import type { DynamicScheduler } from '../schedulers/dynamic.js';
import { RequestQueue } from '../schedulers/request-queue.js';
import { ResponseOrder } from '../schedulers/response-order.js';
import type { Scheduler } from '../schedulers/scheduler.js';
import type { SequenceCounts, SequenceSnapshot } from '../schedulers/sequence/sequence-view.js';
import type { FailureReason, ModelStatistics } from '../telemetry/statistics.js';
import type { ServerError } from '../types/errors.js';
import type { SequenceFlags, SequenceId } from '../types/infer.js';
import type { AdmittedRequest } from './admitted-request.js';
import type { ModelCache } from './cache/model-cache.js';
import { checkRequest, type InferPlan } from './check-request.js';
import { DecoupledRequest } from './decoupled-request.js';
import { noteFailure } from './failure-line.js';
import type { AcceptedRequest, Responder } from './infer-response.js';
import { checkAlike, Lineage } from './lineage.js';
import { ModelCalls } from './model-calls.js';
import { type ModelParts, type ModelSurroundings, warmupOf } from './model-parts.js';
import { ModelRequest } from './model-request.js';
import { dynamicScheduler, dynamicSettings, type SequenceParts, sequenceParts } from './model-scheduler.js';
import type { Labels, ModelTensors } from './model-tensors.js';
import { Occupancy } from './occupancy.js';
import { ReadWatch } from './read-watch.js';
import type { InputSpace, PlacedTensor, SourceReader } from './request-inputs.js';
import { checkRows } from './row-check.js';
import { schedulerSettings } from './scheduler-settings.js';
import type { ControlWriter } from './sequence-controls.js';
import type { ServedModel } from './served-model.js';
import { spentWith } from './spent-times.js';
import type { Warmup } from './warmup.js';

/** One loaded version of a model: its memory, scheduler, instances and numbers. */
export class Model implements ServedModel, InputSpace {
  readonly name: string;
  readonly version: number;
  readonly tensors: ModelTensors;
  readonly statistics: ModelStatistics;
  readonly arena: Arena;
  readonly planes: RowPlanes | null;
  readonly controls: ControlWriter | null;
  /** Null = it answers once, or its clients may leave answers unread for ever. */
  readonly watch: ReadWatch | null;
  readonly called: Set<ServedModel> | null;
  readonly cache: ModelCache | null;
  readonly #openCalls: InstanceEvents['openCalls'];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #warmup: Warmup;
  readonly #group: InstanceGroup;
  readonly #scheduler: Scheduler;
  /** Null = it has sequence batching. */
  readonly #dynamic: DynamicScheduler | null;
  readonly #lineage = new Lineage<Model>();
  readonly #occupancy = new Occupancy();
  readonly #sequences: SequenceParts | null;
  readonly #order: ResponseOrder | null;
  #config: ModelConfig;
  #isRetired = false;
  /** Nothing stands in its place any more: its sequences are over. */
  #isAbandoned = false;
  #isOver = false;
  /** When the execution whose requests are being answered was seen to be over: one reading of the clock for all of them. */
  #executedUs = 0;

  constructor(parts: ModelParts, surroundings: ModelSurroundings) {
    const { arena, clock, log, responseTimeoutSecs } = surroundings;
    this.name = parts.name;
    this.version = parts.version;
    this.#config = parts.config;
    this.tensors = parts.tensors;
    this.statistics = parts.statistics;
    this.arena = arena;
    this.#clock = clock;
    this.#log = log;
    this.planes = parts.tensors.planesIn(arena);
    this.called = parts.tensors.readsHeads ? new Set() : null;
    this.cache = parts.cache ?? null;
    this.#openCalls = (post) => new ModelCalls(this, surroundings.find, post);
    const settings = schedulerSettings(parts.config);
    this.#warmup = warmupOf(parts, surroundings);
    this.#group = new InstanceGroup(parts.specs, arena, this.#groupEvents(), surroundings);
    this.#sequences = sequenceParts(parts, this.#group, surroundings);
    this.controls = this.#sequences?.controls ?? null;
    this.#dynamic = this.#sequences === null ? dynamicScheduler(parts.name, settings, this.#group, clock) : null;
    this.#scheduler = this.#sequences?.scheduler ?? this.#dynamic!;
    this.#order = settings.preserveOrdering ? new ResponseOrder() : null;
    this.watch =
      this.isDecoupled && responseTimeoutSecs > 0 ? new ReadWatch(this.name, responseTimeoutSecs, clock) : null;
  }

  /**
   * Resolves when every instance has loaded the model and run its warm-up; rejects with the reason of the first that did not. Where
   * `signal` is aborted meanwhile, instances end as soon as they have loaded, or run what runs: the model is to be stopped.
   */
  async start(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const end = () => void this.#group.stop();
    signal.addEventListener('abort', end);
    await this.#group.start().finally(() => signal.removeEventListener('abort', end));
  }

  get steps(): readonly ServedModel[] {
    return [];
  }

  hasFixedOutput(index: number): boolean {
    return this.tensors.outputs[index]!.rowBytes > 0;
  }

  get isDecoupled(): boolean {
    return this.#config.model_transaction_policy?.decoupled ?? false;
  }

  get config(): ModelConfig {
    return this.#config;
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  get isReady(): boolean {
    return this.#group.isHealthy;
  }

  get inFlight(): number {
    return this.#occupancy.inFlight;
  }

  get takesGroups(): boolean {
    // Answers are kept request by request.
    const isQueuePlain = this.cache === null && this.#order === null && (this.#dynamic?.isPlain ?? false);
    return isQueuePlain && !this.tensors.readsHeads && !this.#config.input.some((input) => input.allow_ragged_batch);
  }

  get pending(): number {
    return this.#scheduler.pending;
  }

  get restarts(): number {
    return this.#group.restarts;
  }

  sequences(): SequenceSnapshot | null {
    return this.#sequences?.scheduler.snapshot() ?? null;
  }

  sequenceCounts(): SequenceCounts | null {
    return this.#sequences?.scheduler.counts() ?? null;
  }

  hasSequence(id: SequenceId): boolean {
    return this.#sequences?.scheduler.has(id) ?? false;
  }

  admit(
    plan: InferPlan,
    sizes: readonly number[],
    responder: Responder,
    sequence: SequenceFlags = plan.head,
  ): AcceptedRequest {
    const other = this.#standIn(sequence);
    if (other !== null) {
      checkAlike(this, other);
      return other.admit(checkRequest(other.name, other.tensors, plan.head), sizes, responder, sequence);
    }
    if (this.cache === null || plan.head.explain === true) return this.#admit(plan, sizes, responder, sequence);
    return this.cache.admit(responder, sequence, (own) => this.#admit(plan, sizes, own, sequence));
  }

  admitSources(
    plan: InferPlan,
    sources: readonly PlacedTensor[],
    reader: Responder & SourceReader,
    sequence: SequenceFlags,
  ): AcceptedRequest {
    // Who holds it has it answer, and not its heir; only sequences are where they are.
    const elder = this.#elderWith(sequence);
    if (elder !== null) {
      checkAlike(this, elder);
      return elder.admitSources(checkRequest(elder.name, elder.tensors, plan.head), sources, reader, sequence);
    }
    if (this.cache === null || plan.head.explain === true)
      return this.#admitSources(plan, sources, reader, reader, sequence);
    return this.cache.admit(reader, sequence, (own) => this.#admitSources(plan, sources, reader, own, sequence));
  }

  hold(): void {
    this.#occupancy.hold();
  }

  letGo(): void {
    this.#occupancy.letGo();
  }

  /** For requests alone, like those below. */
  enqueue(request: AdmittedRequest): void {
    this.#occupancy.begin();
    this.#order?.enter(request);
    request.arrivedUs = this.#clock.nowUs();
    try {
      this.#scheduler.enqueue(request, request.arrivedUs);
    } catch (error) {
      this.#occupancy.end();
      this.#order?.leave(request);
      throw error;
    }
  }

  cancel(request: AdmittedRequest): void {
    this.#scheduler.cancel(request);
  }

  /** Its memory was given back before it was queued. */
  onAbandoned(): void {
    this.#occupancy.leave();
  }

  onCompleted(request: ModelRequest, times: ExecutionTimes): void {
    const { spent } = request;
    this.statistics.requestSucceeded(
      request.rows,
      this.#executedUs - request.arrivedUs,
      spent.queueUs + Math.max(0, times.startUs - request.queuedUs),
      spent.inputUs + times.inputsUs - times.startUs,
      spent.inferUs + times.inferUs - times.inputsUs,
      spent.outputUs + times.endUs - times.inferUs,
      request.plan.head.requests,
    );
    this.#ended(request);
  }

  onFailed(request: ModelRequest, reason: FailureReason, { message }: ServerError): void {
    noteFailure(this.#log, { model: this.name, requestId: request.requestId }, reason, message);
    this.statistics.requestFailed(reason, this.nowUs - request.arrivedUs, request.plan.head.requests, request.rows);
    this.#ended(request);
  }

  /** For decoupled requests alone, like those below. */
  get nowUs(): number {
    return this.#clock.nowUs();
  }

  /** Nobody's answers go before its. */
  isTurnOf(request: DecoupledRequest): boolean {
    return this.#order?.isTurnOf(request) ?? true;
  }

  /** Nothing more will be delivered to its client than what it has: that, when it is its turn. */
  deliver(request: AdmittedRequest): void {
    if (this.#order === null) request.deliver();
    else this.#order.answer(request);
  }

  /** It was delivered before. @param failure null = it ended well, and `times` are those of its execution */
  onEnded(request: DecoupledRequest, failure: FailureReason | null, times: ExecutionTimes | null): void {
    const requestUs = this.#clock.nowUs() - request.arrivedUs;
    if (failure !== null) {
      noteFailure(this.#log, { model: this.name, requestId: request.requestId }, failure, request.error?.message ?? '');
      this.statistics.requestFailed(failure, requestUs, 1, request.rows);
    } else {
      const { queueUs, inputUs, inferUs, outputUs } = spentWith(request.spent, request.queuedUs, times!);
      this.statistics.requestEnded(request.rows, requestUs, queueUs, inputUs, inferUs, outputUs);
    }
    this.#occupancy.answer();
    this.#settle();
  }

  async drain(): Promise<void> {
    if (this.cache !== null) await this.cache.close();
    this.#scheduler.stop();
    await this.#occupancy.idle();
  }

  /** Resolves when also no sequence is live that requests to its heir go on with; it takes nothing new then. */
  async retire(successor: ServedModel | null): Promise<void> {
    // What is no model of this kind cannot go on with its sequences.
    const heir = successor instanceof Model ? successor : null;
    this.#isRetired = true;
    if (heir?.version === this.version) this.#lineage.replacedBy(heir);
    const scheduler = this.#sequences?.scheduler ?? null;
    if (heir === null) this.#abandon();
    else heir.#lineage.succeed(scheduler === null ? null : this, this.#lineage);
    if (scheduler !== null) scheduler.onAllEnded = () => this.#occupancy.look();
    await this.#occupancy.empty(() => this.#isAbandoned || scheduler === null || scheduler.live === 0);
    this.#scheduler.stop();
    if (heir !== null) heir.#lineage.outlive(this);
  }

  /** What a configuration whose fixed part is the same changes while the model serves. Rejects where instances do not start; nothing is changed then. */
  async adjust(config: ModelConfig, specs: readonly InstanceSpec[], labels: Labels): Promise<void> {
    await this.#group.resize(specs);
    this.#config = config;
    this.tensors.relabel(labels);
    const settings = schedulerSettings(config);
    this.#dynamic?.reconfigure(dynamicSettings(this.name, settings), new RequestQueue(settings.queue));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#group.stop();
    const { inFlight } = this.#occupancy;
    assert(inFlight === 0, `model '${this.name}' was stopped with ${inFlight} requests in flight`);
    this.#scheduler.close();
    this.watch?.close();
    this.#sequences?.fillers.close();
    this.planes?.close();
  }

  #admit(plan: InferPlan, sizes: readonly number[], responder: Responder, sequence: SequenceFlags): AdmittedRequest {
    const request = this.#newRequest(plan, responder, sequence);
    if (!request.take(sizes, this.#scheduler)) throw outOfMemory(this.name);
    this.#occupancy.enter();
    return request;
  }

  #admitSources(
    plan: InferPlan,
    sources: readonly PlacedTensor[],
    reader: SourceReader,
    responder: Responder,
    sequence: SequenceFlags,
  ): AdmittedRequest {
    const request = this.#newRequest(plan, responder, sequence);
    if (!request.takeTable(sources, reader)) throw outOfMemory(this.name);
    this.#occupancy.enter();
    return request;
  }

  #newRequest(plan: InferPlan, responder: Responder, sequence: SequenceFlags): AdmittedRequest {
    if (this.#isOver) throw notFound(this.name, String(this.version), [this.version]);
    const Request = this.isDecoupled ? DecoupledRequest : ModelRequest;
    return new Request(this, plan, responder, this.#sequences?.ownIds?.flagsFor(sequence) ?? sequence);
  }

  /** Who has the sequence, or stands in the place of this one; null = this one answers. */
  #standIn(sequence: SequenceFlags): Model | null {
    const other = this.#elderWith(sequence) ?? this.#lineage.heir;
    return other !== null && !this.hasSequence(sequence.sequenceId) ? other : null;
  }

  #elderWith({ sequenceId, sequenceStart }: SequenceFlags): Model | null {
    if (this.hasSequence(sequenceId)) return null;
    return this.#lineage.elderWith(sequenceId, sequenceStart);
  }

  /** Also whoever stood in its place before: only requests to this one go there. */
  #abandon(): void {
    this.#isAbandoned = true;
    this.#occupancy.look();
    for (const elder of this.#lineage.elders) elder.#abandon();
  }

  #groupEvents(): GroupEvents {
    return {
      onLoaded: (instance: Instance) => this.#warmup.run(instance),
      onRoom: () => this.#scheduler.run(),
      onReturned: (requests: readonly InferRequest[]) => this.#scheduler.putBack(requests),
      onExecuted: (outputs: BatchOutputs) => this.#onExecuted(outputs),
      onMetric: (metric, instance) => this.statistics.custom.add(metric, instance),
      onAvailability: () => this.#scheduler.run(),
      onAdmitted: () => this.#scheduler.resume(),
      hasWork: () => this.#scheduler.pending > 0,
      openCalls: this.#openCalls,
    };
  }

  #onExecuted(outputs: BatchOutputs): void {
    this.#executedUs = this.#clock.nowUs();
    const { times, rows, contiguous, reason } = outputs.batch;
    const { startUs, inputsUs, inferUs, endUs } = times;
    this.statistics.batchExecuted(rows, inputsUs - startUs, inferUs - inputsUs, endUs - inferUs, Date.now());
    this.statistics.batchPlaced(contiguous);
    this.statistics.batchClosed(reason);
  }

  #ended(request: ModelRequest): void {
    this.#occupancy.answer();
    this.deliver(request);
    this.#settle();
  }

  #settle(): void {
    // Who is admitted has rows, and may not have sent its data yet.
    if (this.#occupancy.inFlight + this.#occupancy.admitted === 0) checkRows(this.name, this.planes, this.#log);
    this.#occupancy.settle();
  }
}
