import type { Graph, GraphStep, StepTensor } from './graph.js';

/** A step that has to run. */
export interface RouteStep {
  readonly step: GraphStep;
  /** Its place in the configuration. */
  readonly at: number;
  readonly inputs: readonly StepTensor[];
  /** Those that somebody reads. */
  readonly outputs: readonly StepTensor[];
  /** Different tensors among its inputs. */
  readonly reads: readonly number[];
  /** How many decoupled steps are before it, one behind the other. */
  readonly level: number;
}

/**
 * What of an ensemble has to run for some of its outputs: nothing that is not needed (fact sheet 5.6). Behind a decoupled step everything runs once
 * for each of its answers, one level deeper.
 */
export interface Route {
  /** In the order of the configuration. */
  readonly steps: readonly RouteStep[];
  /** By tensor of the graph: places in `steps` of those that read it. */
  readonly readers: readonly (readonly number[])[];
  /** By tensor of the graph: on which level it is written. */
  readonly levels: readonly number[];
  /** Tensors of the graph that were asked for. */
  readonly outputs: readonly number[];
  /** The level on which answers are complete; 0 = there is one answer. */
  readonly depth: number;
  /** By level. */
  readonly passes: readonly Pass[];
}

/** What passes of one level begin with: known beforehand, so that a request need not find it out. */
export interface Pass {
  /** Steps of this level. */
  readonly steps: number;
  /** By place in the steps: how many tensors it reads; -1 = it is of another level. */
  readonly waits: readonly number[];
  /** By tensor of the graph: how many read it: steps of this level, the client, and all deeper levels as one. */
  readonly readers: readonly number[];
  /** By tensor of the graph: it is read on deeper levels too. */
  readonly isReadDeeper: readonly boolean[];
  /** By tensor of the graph: it was asked for. */
  readonly isOutput: readonly boolean[];
}

/** @param outputs tensors of the graph, each once */
export function routeTo(graph: Graph, outputs: readonly number[]): Route {
  const needed = neededSteps(graph, outputs);
  const read = new Set([...outputs, ...needed.flatMap((at) => graph.steps[at]!.inputs.map(({ tensor }) => tensor))]);
  const levels = tensorLevels(graph);
  const steps = needed.map((at): RouteStep => {
    const step = graph.steps[at]!;
    const reads = [...new Set(step.inputs.map(({ tensor }) => tensor))];
    return {
      step,
      at,
      inputs: step.inputs,
      outputs: step.outputs.filter(({ tensor }) => read.has(tensor)),
      reads,
      level: Math.max(0, ...reads.map((tensor) => levels[tensor]!)),
    };
  });
  const readers: number[][] = graph.tensors.map(() => []);
  for (const [place, { reads }] of steps.entries()) for (const tensor of reads) readers[tensor]!.push(place);
  const depth = Math.max(0, ...outputs.map((tensor) => levels[tensor]!));
  const route = { steps, readers, levels, outputs, depth };
  return { ...route, passes: Array.from({ length: depth + 1 }, (_, level) => passOf(route, level)) };
}

function passOf({ steps, readers, outputs, depth }: Omit<Route, 'passes'>, level: number): Pass {
  const asked = new Set(outputs);
  const isOutput = readers.map((_, tensor) => asked.has(tensor));
  const isReadDeeper = readers.map(
    (places, tensor) => level < depth && (isOutput[tensor]! || places.some((place) => steps[place]!.level > level)),
  );
  const here = steps.filter((step) => step.level === level).length;
  return {
    steps: here,
    waits: steps.map((step) => (step.level === level ? step.reads.length : -1)),
    readers: readers.map((places, tensor) => {
      const own = places.filter((place) => steps[place]!.level === level).length;
      return own + (isReadDeeper[tensor] || (level === depth && isOutput[tensor]) ? 1 : 0);
    }),
    isReadDeeper,
    isOutput,
  };
}

/** Ascending. */
function neededSteps({ steps, tensors }: Graph, outputs: readonly number[]): number[] {
  const needed = new Set<number>();
  const open = [...outputs];
  for (let tensor = open.pop(); tensor !== undefined; tensor = open.pop()) {
    const at = tensors[tensor]!.step;
    if (at < 0 || needed.has(at)) continue;
    needed.add(at);
    for (const input of steps[at]!.inputs) open.push(input.tensor);
  }
  return [...needed].sort((a, b) => a - b);
}

function tensorLevels({ steps, tensors }: Graph): number[] {
  const levels: number[] = tensors.map(({ step }) => (step < 0 ? 0 : -1));
  // Not by recursion: a chain may be longer than the stack is deep.
  const open = steps.map((_, at) => at);
  for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
    const { inputs, outputs, model } = steps[at]!;
    const unknown = inputs.find(({ tensor }) => levels[tensor]! < 0);
    if (unknown !== undefined) {
      open.push(tensors[unknown.tensor]!.step);
      continue;
    }
    open.pop();
    const level = Math.max(0, ...inputs.map(({ tensor }) => levels[tensor]!)) + (model.isDecoupled ? 1 : 0);
    for (const { tensor } of outputs) levels[tensor] = level;
  }
  return levels;
}
