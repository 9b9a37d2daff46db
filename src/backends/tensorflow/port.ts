import type { Shape } from './tensor.js';

/** An input or output of the model. */
export interface Port {
  /** What clients call it. */
  readonly name: string;
  /** Where it is in the graph: `node:0`. */
  readonly tensor: string;
  /** What is known of it from elsewhere; null = nothing. */
  readonly shape: Shape | null;
}
