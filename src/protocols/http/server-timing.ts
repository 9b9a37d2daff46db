import type { EnsembleExplanation, Explanation, ModelExplanation } from '../../core/explanation.js';

/**
 * The header `Server-Timing` of an answer (W3C Server Timing): durations in milliseconds, which browsers show beside the request. Of an ensemble its
 * steps by their names, where these are tokens.
 * @param explanation null = nothing is known but the whole: the cache answered, or the model answers any number of times
 * @param totalUs from the head of the request until now
 */
export function serverTiming(explanation: Explanation | null, totalUs: number): string {
  const parts = explanation === null ? [] : 'steps' in explanation ? stepsOf(explanation) : partsOf(explanation);
  return [...parts, entry('total', totalUs)].join(', ');
}

function partsOf({ queue_us, input_us, infer_us, output_us }: ModelExplanation): string[] {
  return [entry('queue', queue_us), entry('input', input_us), entry('infer', infer_us), entry('output', output_us)];
}

function stepsOf({ steps }: EnsembleExplanation): string[] {
  return steps.flatMap(({ model, total_us }) => (/^[\w.-]+$/.test(model) ? [entry(model, total_us)] : []));
}

function entry(name: string, us: number): string {
  return `${name};dur=${Math.round(us) / 1000}`;
}
