import { currentTurn, type TurnMember } from '../../backends/turn.js';
import type { InferPlan } from '../check-request.js';
import type { EnsemblePlan } from './ensemble-plan.js';
import type { EnsembleHost, EnsembleRequest } from './ensemble-request.js';
import { GroupPlans, RequestGroup } from './request-group.js';

/** The ensemble, as its groups see it. */
export interface GroupedEnsemble extends EnsembleHost {
  hold(): void;
  /** All its steps have one row for each of its rows, whoever asks for them, and any number of requests may be at each. */
  readonly areStepsFree: boolean;
}

/** Requests with one plan go together, up to so many rows. */
interface Togetherness {
  readonly plans: GroupPlans;
  readonly maxRows: number;
}

/** They begin at the end of the turn. */
interface OpenGroup {
  readonly members: EnsembleRequest[];
  readonly steps: EnsemblePlan;
  readonly together: Togetherness;
}

/**
 * Requests to an ensemble that come in one turn of the event loop go through it together where nothing tells them apart: each step is then asked once
 * for all of them, and not once for each. What a step is asked costs the main thread the same whatever its rows.
 */
export class RequestGroups implements TurnMember {
  readonly #ensemble: GroupedEnsemble;
  readonly #host: EnsembleHost;
  /** By their plan through the ensemble; null = they go alone. */
  readonly #known = new WeakMap<EnsemblePlan, Togetherness | null>();
  #open: OpenGroup | null = null;
  #isInTurn = false;

  constructor(ensemble: GroupedEnsemble) {
    this.#ensemble = ensemble;
    this.#host = hostOfGroups(ensemble);
  }

  /** True = it begins at the end of the turn, with others or alone. */
  add(request: EnsembleRequest): boolean {
    const open = this.#open;
    if (open !== null && joins(open, request)) {
      open.members.push(request);
      return true;
    }
    const together = this.#togetherness(request);
    if (together === null || !this.#mayGroup(request.steps)) return false;
    this.#open = { members: [request], steps: request.steps, together };
    if (!this.#isInTurn) {
      this.#isInTurn = true;
      currentTurn.join(this);
    }
    // Last of all: what begins may answer at once, and more come.
    if (open !== null) this.#begin(open);
    return true;
  }

  endTurn(): void {
    this.#isInTurn = false;
    const open = this.#open!;
    this.#open = null;
    this.#begin(open);
  }

  #begin({ members, together }: OpenGroup): void {
    if (members.length === 1) members[0]!.begin();
    else new RequestGroup(this.#host, together.plans.of(members.length), members);
  }

  #togetherness(request: EnsembleRequest): Togetherness | null {
    let known = this.#known.get(request.steps);
    if (known === undefined) {
      known = this.#find(request.plan, request.steps);
      this.#known.set(request.steps, known);
    }
    return known;
  }

  #find(plan: InferPlan, { route }: EnsemblePlan): Togetherness | null {
    const { name, tensors } = this.#ensemble;
    const isFixed = plan.inputBytes >= 0 && plan.outputs.every(({ index }) => this.#ensemble.hasFixedOutput(index));
    if (!isFixed || plan.batchSize === 0 || route.depth > 0 || route.steps.length === 0) return null;
    const limits = route.steps.map(({ step }) => step.model.tensors.maxBatchSize);
    const maxRows = Math.min(tensors.maxBatchSize, ...limits);
    return maxRows < 2 * plan.batchSize ? null : { plans: new GroupPlans(name, tensors, plan), maxRows };
  }

  /** Models change while they serve. */
  #mayGroup({ route }: EnsemblePlan): boolean {
    return this.#ensemble.areStepsFree && route.steps.every(({ step }) => step.model.takesGroups);
  }
}

/** It is of their kind, and its tensors lie behind theirs. */
function joins({ members, steps, together }: OpenGroup, request: EnsembleRequest): boolean {
  const { rows, plan } = request;
  if (request.steps !== steps || (members.length + 1) * rows > together.maxRows) return false;
  const last = members[members.length - 1]!;
  for (let nth = 0; nth < plan.inputs.length; nth++) {
    if (request.inputBegin(nth) !== last.inputBegin(nth) + last.inputBytes(nth)) return false;
  }
  return true;
}

/** Counts nothing: each member of a group is counted as the request that it is. */
function hostOfGroups(ensemble: GroupedEnsemble): EnsembleHost {
  const { name, version, arena, tensors, graph } = ensemble;
  return {
    name,
    version,
    isDecoupled: false,
    arena,
    tensors,
    graph,
    get nowUs() {
      return ensemble.nowUs;
    },
    hasFixedOutput: (index) => ensemble.hasFixedOutput(index),
    stepsOf: (plan) => ensemble.stepsOf(plan),
    letGo: () => ensemble.letGo(),
    enqueue: () => ensemble.hold(),
    start: (request) => request.begin(),
    stepBegins: (run, request) => request.sendStep(run),
    stepEnded() {},
    onSucceeded() {},
    onFailed() {},
  };
}
