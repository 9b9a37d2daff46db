import type { ServerError } from '../../types/errors.js';
import type { Shape } from '../../types/tensor.js';
import type { AcceptedRequest, InferResponse, Responder } from '../infer-response.js';
import type { SourceReader } from '../request-inputs.js';
import type { Source } from './source.js';

/** Where the tensors of an ensemble lie, by tensor of its graph. */
export interface FlowTensors {
  /** Null = it is missing, or not there yet. */
  readonly sources: readonly (Source | null)[];
  readonly begins: readonly number[];
  readonly bytes: readonly number[];
  readonly shapes: readonly (Shape | null)[];
}

/** What a step runs for: the pass that it is part of. */
export interface StepOwner extends FlowTensors {
  onResponse(run: StepRun, response: InferResponse): void;
  onError(run: StepRun, error: ServerError): void;
  onStalled(run: StepRun): boolean;
  /** What step `place` reads need not stay for it any more. */
  onInputsRead(place: number): void;
}

/** One execution of a step for one request. */
export class StepRun implements Responder, SourceReader {
  readonly flow: StepOwner;
  /** Of the step in the route. */
  readonly place: number;
  /** Answers that came, of a decoupled step. */
  answers = 0;
  /** Null = it waits to be sent, or is over. */
  request: AcceptedRequest | null = null;
  /** By output of the step: its shape in every answer to this; null = that of the answer. */
  outputShapes: readonly (Shape | null)[] = [];
  isOver = false;
  /** The gate of its step has let it in. */
  isInside = false;

  constructor(flow: StepOwner, place: number) {
    this.flow = flow;
    this.place = place;
  }

  onResponse(response: InferResponse): void {
    this.flow.onResponse(this, response);
  }

  onError(error: ServerError): void {
    this.flow.onError(this, error);
  }

  onStalled(): boolean {
    return this.flow.onStalled(this);
  }

  onSourcesRead(): void {
    this.flow.onInputsRead(this.place);
  }
}
