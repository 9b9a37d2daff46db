import type { Clock } from '../../base/clock.js';
import { ResponseOrder } from '../../schedulers/response-order.js';
import type { ModelStatistics } from '../../telemetry/statistics.js';
import type { SequenceFlags } from '../../types/infer.js';
import type { AcceptedRequest, Responder } from '../infer-response.js';
import type { ModelTensors } from '../model-tensors.js';
import { CachedRequest } from './cached-request.js';
import { RequestKeys } from './request-keys.js';
import type { ResponseStore } from './response-store.js';

/** What its cache needs of one. */
export interface ModelCacheParts {
  readonly store: ResponseStore;
  /** Names the model, its version and what it is made of. */
  readonly scope: string;
  readonly tensors: ModelTensors;
  readonly statistics: ModelStatistics;
  /** `preserve_ordering` */
  readonly isOrdered: boolean;
  readonly clock: Clock;
}

/** The response cache as one loaded version of a model, or of an ensemble, uses it. */
export class ModelCache {
  readonly store: ResponseStore;
  readonly keys: RequestKeys;
  readonly statistics: ModelStatistics;
  /** Answers from the cache do not overtake those that are executed; null = they may. */
  readonly order: ResponseOrder | null;
  readonly clock: Clock;
  #isClosed = false;
  #looking = 0;
  #onSettled: (() => void) | null = null;

  constructor({ store, scope, tensors, statistics, isOrdered, clock }: ModelCacheParts) {
    this.store = store;
    this.keys = new RequestKeys(scope, tensors);
    this.statistics = statistics;
    statistics.isCached = true;
    this.order = isOrdered ? new ResponseOrder() : null;
    this.clock = clock;
  }

  /** No request is looked up any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * A request that is looked up first.
   * @param admit has the model take it; answers go to the responder that it is given
   */
  admit(
    responder: Responder,
    sequence: SequenceFlags,
    admit: (responder: Responder) => AcceptedRequest,
  ): AcceptedRequest {
    // An answer within a sequence is not only that to its inputs.
    if (sequence.sequenceId !== 0 && sequence.sequenceId !== '') return admit(responder);
    const request = new CachedRequest(this, responder);
    request.ask(admit(request));
    return request;
  }

  /** For requests alone, like all below: to be called when it has its answer, or needs none any more. */
  deliver(request: CachedRequest): void {
    if (this.order === null) request.deliver();
    else this.order.answer(request);
  }

  lookupBegins(): void {
    this.#looking++;
  }

  lookupEnded(): void {
    this.#looking--;
    if (this.#looking === 0) this.#onSettled?.();
  }

  /** Resolves when all requests that were looked up are answered or with their model. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#looking === 0) return;
    await new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
  }
}
