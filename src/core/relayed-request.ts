import type { Trace } from '../telemetry/trace/trace.js';
import type { InferPlan } from './check-request.js';
import type { AcceptedRequest, Answerer } from './infer-response.js';

/** A request that stands before another, which has its memory: whatever is asked of it or told to it, the other knows. */
export abstract class RelayedRequest implements AcceptedRequest {
  /** Set as soon as its model has admitted it. */
  protected request!: AcceptedRequest;

  abstract submit(): void;
  abstract abandon(): void;
  abstract cancel(): void;

  get model(): Answerer {
    return this.request.model;
  }

  get plan(): InferPlan {
    return this.request.plan;
  }

  get requestId(): string {
    return this.request.requestId;
  }

  set requestId(id: string) {
    this.request.requestId = id;
  }

  get isTimed(): boolean {
    return this.request.isTimed;
  }

  set isTimed(isTimed: boolean) {
    this.request.isTimed = isTimed;
  }

  get trace(): Trace | null {
    return this.request.trace;
  }

  set trace(trace: Trace | null) {
    this.request.trace = trace;
  }

  inputBegin(nth: number): number {
    return this.request.inputBegin(nth);
  }

  inputBytes(nth: number): number {
    return this.request.inputBytes(nth);
  }
}
