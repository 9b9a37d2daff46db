import type { InferHead } from '../../types/infer.js';
import { type Shape, sameShape } from '../../types/tensor.js';
import { checkRequest, type InferPlan } from '../check-request.js';
import type { ModelTensor } from '../model-tensors.js';
import { bridgeShape } from './bridge.js';
import type { Graph } from './graph.js';
import type { Route, RouteStep } from './route.js';

/** A plan of a step, and the shapes it was made for. */
export interface StepPlan {
  readonly plan: InferPlan;
  /** By input of the step; null = it was left out. */
  readonly shapes: readonly (Shape | null)[];
  /** By output of the step: its shape in every answer to this plan; null = answers differ. */
  readonly outputShapes: readonly (Shape | null)[];
}

/** By tensor of the graph. */
export interface KnownTensors {
  /** Null = it is missing. */
  readonly shapes: readonly (Shape | null)[];
  readonly bytes: readonly number[];
}

/**
 * What requests to an ensemble with one plan have in common: the way through it, and how its steps are asked. Requests of one plan mostly have
 * the same shapes inside, so the last plan of each step is kept.
 */
export class EnsemblePlan {
  readonly route: Route;
  readonly #graph: Graph;
  readonly #known: (StepPlan | null)[];

  constructor(graph: Graph, route: Route) {
    this.route = route;
    this.#graph = graph;
    this.#known = route.steps.map(() => null);
  }

  /**
   * How step `place` of the route is asked for a request with this head: id, priority, parameters and time-out are its steps' too. Throws what
   * `checkRequest` throws.
   */
  planStep(place: number, head: InferHead, tensors: KnownTensors): StepPlan {
    const { inputs } = this.route.steps[place]!;
    const known = this.#known[place];
    if (known != null && isAlike(known, inputs, tensors)) return withHead(known, head);
    const made = this.#make(this.route.steps[place]!, head, tensors);
    this.#known[place] = made;
    return made;
  }

  #make(routeStep: RouteStep, requestHead: InferHead, { shapes, bytes }: KnownTensors): StepPlan {
    const { step, inputs, outputs } = routeStep;
    const { name, tensors } = step.model;
    const head: InferHead = {
      ...requestHead,
      inputs: inputs.flatMap(({ name, datatype, index, tensor }) => {
        const shape = shapes[tensor]!;
        if (shape === null) return [];
        const to = { dims: tensors.inputs[index]!.dims, batched: tensors.maxBatchSize > 0 };
        const bridged = bridgeShape(shape, this.#graph.tensors[tensor]!.batched, to);
        return [{ name, datatype, shape: bridged, source: { kind: 'binary' as const, byteSize: bytes[tensor]! } }];
      }),
      outputs: outputs.map(({ name }) => ({ name, binary: true, classCount: 0, shared: null })),
    };
    const plan = checkRequest(name, tensors, head);
    const outputShapes = outputs.map(({ index }) => fixedShape(tensors.outputs[index]!, plan.batchSize));
    return { plan, shapes: inputs.map(({ tensor }) => shapes[tensor]!), outputShapes };
  }
}

/** Requests of one plan differ in their ids, and in parameters that came as headers. */
function withHead(known: StepPlan, { id, parameters }: InferHead): StepPlan {
  const { plan } = known;
  if (!plan.isPerId || (plan.head.id === id && plan.head.parameters === parameters)) return known;
  return { ...known, plan: { ...plan, head: { ...plan.head, id, parameters } } };
}

function isAlike({ shapes }: StepPlan, inputs: RouteStep['inputs'], tensors: KnownTensors): boolean {
  for (let nth = 0; nth < inputs.length; nth++) {
    if (!isSame(shapes[nth]!, tensors.shapes[inputs[nth]!.tensor]!)) return false;
  }
  return true;
}

function isSame(a: Shape | null, b: Shape | null): boolean {
  return a === b || (a !== null && b !== null && sameShape(a, b));
}

function fixedShape({ rowBytes, dims }: ModelTensor, batchSize: number): Shape | null {
  if (rowBytes === 0) return null;
  return batchSize > 0 ? [batchSize, ...dims] : dims;
}
