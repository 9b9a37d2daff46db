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

/**
 * What requests to an ensemble with one plan have in common: the way through it, and how its steps are asked. Requests of one plan mostly have
 * the same shapes inside, so the last plan of each step is kept.
 */
export class EnsemblePlan {
  readonly route: Route;
  readonly #graph: Graph;
  readonly #head: InferHead;
  readonly #known: (StepPlan | null)[];

  /** @param head of the request: ids, priority, parameters and time-out are its steps' too */
  constructor(graph: Graph, route: Route, head: InferHead) {
    this.route = route;
    this.#graph = graph;
    this.#head = head;
    this.#known = route.steps.map(() => null);
  }

  /**
   * How step `place` of the route is asked, given its tensors' shapes (by tensor of the graph; null = missing) and bytes. Throws what
   * `checkRequest` throws.
   */
  planStep(place: number, shapes: readonly (Shape | null)[], bytes: readonly number[]): StepPlan {
    const { inputs } = this.route.steps[place]!;
    const known = this.#known[place];
    if (known != null && inputs.every(({ tensor }, nth) => isSame(known.shapes[nth]!, shapes[tensor]!))) return known;
    const made = this.#make(this.route.steps[place]!, shapes, bytes);
    this.#known[place] = made;
    return made;
  }

  #make(routeStep: RouteStep, shapes: readonly (Shape | null)[], bytes: readonly number[]): StepPlan {
    const { step, inputs, outputs } = routeStep;
    const { name, tensors } = step.model;
    const head: InferHead = {
      ...this.#head,
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

function isSame(a: Shape | null, b: Shape | null): boolean {
  return a === b || (a !== null && b !== null && sameShape(a, b));
}

function fixedShape({ rowBytes, dims }: ModelTensor, batchSize: number): Shape | null {
  if (rowBytes === 0) return null;
  return batchSize > 0 ? [batchSize, ...dims] : dims;
}
