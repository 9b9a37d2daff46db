import { outOfMemory } from '../../backends/failures.js';
import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { ModelConfig } from '../../config/model-config.js';
import type { Arena } from '../../memory/arena.js';
import type { RowPlanes } from '../../memory/planes.js';
import { notFound } from '../../repository/lookup.js';
import { stopping } from '../../schedulers/refusals.js';
import type { FailureReason, ModelStatistics } from '../../telemetry/statistics.js';
import type { SequenceFlags } from '../../types/infer.js';
import type { ModelCache } from '../cache/model-cache.js';
import { checkRequest, type InferPlan } from '../check-request.js';
import { noteFailure } from '../failure-line.js';
import type { AcceptedRequest, Responder } from '../infer-response.js';
import type { ModelTensors } from '../model-tensors.js';
import { Occupancy } from '../occupancy.js';
import { type InputSpace, type PlacedTensor, RequestInputs, type SourceReader } from '../request-inputs.js';
import type { ServedModel } from '../served-model.js';
import { EnsemblePlan } from './ensemble-plan.js';
import { type EnsembleHost, type EnsembleInputs, EnsembleRequest } from './ensemble-request.js';
import type { Graph } from './graph.js';
import { RequestGroups } from './request-groups.js';
import { type Route, routeTo } from './route.js';
import { StepGate } from './step-gate.js';
import type { StepRun } from './step-run.js';

const REMEMBERED_ROUTES = 16;

/** Requests do not wait here, so none is known to open a batch. */
const NO_QUEUE = { beginsBatch: false };

export interface EnsembleParts {
  readonly name: string;
  readonly version: number;
  readonly config: ModelConfig;
  readonly tensors: ModelTensors;
  readonly graph: Graph;
  readonly statistics: ModelStatistics;
  /** Null or absent = its answers are not kept. */
  readonly cache?: ModelCache | null;
}

export interface EnsembleSurroundings {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * One version of an ensemble: models one behind the other, as one. It is bound to the versions of its steps that were there when it was loaded, which
 * stay for it when others take their place.
 */
export class Ensemble implements ServedModel, InputSpace, EnsembleHost {
  readonly name: string;
  readonly version: number;
  readonly config: ModelConfig;
  readonly tensors: ModelTensors;
  readonly statistics: ModelStatistics;
  readonly graph: Graph;
  readonly cache: ModelCache | null;
  readonly arena: Arena;
  readonly planes: RowPlanes | null;
  readonly controls = null;
  readonly called = null;
  readonly isDecoupled: boolean;
  readonly steps: readonly ServedModel[];
  readonly #clock: Clock;
  readonly #log: Log;
  /** By step; null = any number of requests may be at its model. */
  readonly #gates: readonly (StepGate | null)[];
  /** By the outputs that were asked for. */
  readonly #routes = new Map<string, Route>();
  /** By the inputs of their plans, which those with other ids share. */
  readonly #plans = new WeakMap<InferPlan['inputs'], EnsemblePlan>();
  readonly #occupancy = new Occupancy();
  readonly #groups: RequestGroups;
  #heir: ServedModel | null = null;
  #isRetired = false;
  #isStopped = false;
  #isOver = false;

  constructor(parts: EnsembleParts, { arena, clock, log }: EnsembleSurroundings) {
    this.name = parts.name;
    this.version = parts.version;
    this.config = parts.config;
    this.tensors = parts.tensors;
    this.statistics = parts.statistics;
    this.graph = parts.graph;
    this.cache = parts.cache ?? null;
    this.steps = parts.graph.steps.map(({ model }) => model);
    this.arena = arena;
    this.#clock = clock;
    this.#log = log;
    this.planes = parts.tensors.planesIn(arena);
    this.isDecoupled = this.#routeTo(this.graph.outputs).depth > 0;
    const limit = parts.config.ensemble_scheduling?.max_inflight_requests ?? 0;
    this.#gates = this.graph.steps.map(() => (limit > 0 ? new StepGate(limit) : null));
    for (const step of this.steps) step.hold();
    this.#groups = new RequestGroups(this);
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  get isReady(): boolean {
    return this.steps.every(({ isReady }) => isReady);
  }

  get inFlight(): number {
    return this.#occupancy.inFlight;
  }

  get takesGroups(): boolean {
    return false;
  }

  /** Its steps have workers, it has none. */
  readonly restarts = null;

  /** None: an ensemble has no queue. */
  get pending(): number {
    return 0;
  }

  sequences(): null {
    return null;
  }

  sequenceCounts(): null {
    return null;
  }

  hasFixedOutput(index: number): boolean {
    const { step, source } = this.graph.tensors[this.graph.outputs[index]!]!;
    const { rowBytes } = this.tensors.outputs[index]!;
    if (rowBytes === 0 || source.rowBytes !== rowBytes) return false;
    return step < 0 || this.#stepHasFixed(step, source.name);
  }

  admit(
    plan: InferPlan,
    sizes: readonly number[],
    responder: Responder,
    sequence: SequenceFlags = plan.head,
  ): AcceptedRequest {
    const heir = this.#heir;
    if (heir !== null) return heir.admit(checkRequest(heir.name, heir.tensors, plan.head), sizes, responder, sequence);
    this.#expectNotOver();
    if (this.cache === null || plan.head.explain === true) return this.#admit(plan, sizes, responder, sequence);
    return this.cache.admit(responder, sequence, (own) => this.#admit(plan, sizes, own, sequence));
  }

  admitSources(
    plan: InferPlan,
    sources: readonly PlacedTensor[],
    reader: Responder & SourceReader,
    sequence: SequenceFlags,
  ): AcceptedRequest {
    this.#expectNotOver();
    const inputs: EnsembleInputs = { kind: 'others', sources, reader };
    if (this.cache === null || plan.head.explain === true) return this.#newRequest(plan, inputs, reader, sequence);
    return this.cache.admit(reader, sequence, (own) => this.#newRequest(plan, inputs, own, sequence));
  }

  hold(): void {
    this.#occupancy.hold();
  }

  letGo(): void {
    this.#occupancy.letGo();
  }

  async drain(): Promise<void> {
    if (this.cache !== null) await this.cache.close();
    this.#isStopped = true;
    await this.#occupancy.idle();
  }

  /** Nobody finds it any more. Resolves when it has answered what it accepted, and has let go of its steps. */
  async retire(heir: ServedModel | null): Promise<void> {
    this.#isRetired = true;
    this.#heir = heir;
    await this.#occupancy.empty(() => true);
    this.#isOver = true;
    for (const step of this.steps) step.letGo();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.planes?.close();
  }

  /** For `EnsembleRequest` alone, like all below. */
  enqueue(request: EnsembleRequest): void {
    if (this.#isStopped) throw stopping();
    this.#occupancy.begin();
    request.arrivedUs = this.#clock.nowUs();
  }

  start(request: EnsembleRequest): void {
    // A trace is of one request, and so are its steps; and so is an explanation.
    const isWatched = request.trace !== null || request.isTimed || request.plan.head.explain === true;
    if (isWatched || !this.#groups.add(request)) request.begin();
  }

  get nowUs(): number {
    return this.#clock.nowUs();
  }

  get areStepsFree(): boolean {
    return this.#gates.every((gate) => gate === null);
  }

  stepsOf(plan: InferPlan): EnsemblePlan {
    let known = this.#plans.get(plan.inputs);
    if (known === undefined) {
      const outputs = [...new Set(plan.outputs.map(({ index }) => this.graph.outputs[index]!))];
      known = new EnsemblePlan(this.graph, this.#routeTo(outputs));
      this.#plans.set(plan.inputs, known);
    }
    return known;
  }

  stepBegins(run: StepRun, request: EnsembleRequest): void {
    const gate = this.#gateOf(run, request);
    if (gate === null) request.sendStep(run);
    else gate.enter(run, request);
  }

  stepEnded(run: StepRun, request: EnsembleRequest): void {
    if (run.isInside) this.#gateOf(run, request)!.leave();
  }

  onSucceeded({ rows, arrivedUs, inputUs, inferUs, outputUs }: EnsembleRequest): void {
    const { statistics } = this;
    statistics.requestSucceeded(rows, this.#clock.nowUs() - arrivedUs, 0, inputUs, inferUs, outputUs);
    statistics.batchExecuted(rows, inputUs, inferUs, outputUs, Date.now());
    this.#occupancy.end();
    this.#occupancy.settle();
  }

  onFailed({ arrivedUs, requestId, rows }: EnsembleRequest, reason: FailureReason, message: string): void {
    noteFailure(this.#log, { model: this.name, requestId }, reason, message);
    this.statistics.requestFailed(reason, this.#clock.nowUs() - arrivedUs, 1, rows);
    this.#occupancy.end();
    this.#occupancy.settle();
  }

  #expectNotOver(): void {
    if (this.#isOver) throw notFound(this.name, String(this.version), [this.version]);
  }

  #admit(plan: InferPlan, sizes: readonly number[], responder: Responder, sequence: SequenceFlags): EnsembleRequest {
    const memory = new RequestInputs(this, plan, sequence);
    if (!memory.take(sizes, Math.max(1, plan.batchSize), NO_QUEUE)) throw outOfMemory(this.name);
    return this.#newRequest(plan, { kind: 'own', memory }, responder, sequence);
  }

  #newRequest(plan: InferPlan, inputs: EnsembleInputs, responder: Responder, sequence: SequenceFlags): EnsembleRequest {
    this.#occupancy.hold();
    return new EnsembleRequest(this, plan, inputs, responder, sequence);
  }

  #routeTo(outputs: readonly number[]): Route {
    const key = outputs.join();
    const route = this.#routes.get(key) ?? routeTo(this.graph, outputs);
    // Clients choose outputs, in any order.
    if (this.#routes.size >= REMEMBERED_ROUTES) this.#routes.clear();
    this.#routes.set(key, route);
    return route;
  }

  #gateOf(run: StepRun, request: EnsembleRequest): StepGate | null {
    return this.#gates[request.steps.route.steps[run.place]!.at]!;
  }

  #stepHasFixed(step: number, output: string): boolean {
    const { model } = this.graph.steps[step]!;
    return model.hasFixedOutput(model.tensors.outputIndex.get(output)!);
  }
}
