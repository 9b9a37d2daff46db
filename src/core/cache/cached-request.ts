import { assert } from '../../base/assert.js';
import type { Deliverable } from '../../schedulers/response-order.js';
import { asServerError, type ServerError } from '../../types/errors.js';
import type { AcceptedRequest, InferResponse, Responder } from '../infer-response.js';
import { RelayedRequest } from '../relayed-request.js';
import { type CacheEntry, entryOf } from './cache-entry.js';
import { type CachedModel, CachedResponse } from './cached-response.js';
import type { ModelCache } from './model-cache.js';

/**
 * filling: its data arrives. looking: its answer is looked for. asked: its model has it. answered: its answer waits for its turn. over: it is
 * delivered, or nobody wants it any more.
 */
type CacheStage = 'filling' | 'looking' | 'asked' | 'answered' | 'over';

/** A request that its model gets only when the cache has no answer to it. Its memory and its checks are those of the model's own request. */
export class CachedRequest extends RelayedRequest implements Responder, Deliverable {
  readonly #cache: ModelCache;
  readonly #responder: Responder;
  #stage: CacheStage = 'filling';
  /** '' = it was not looked up: nor is its answer kept. */
  #key = '';
  #arrivedUs = 0;
  #lookupUs = 0;
  #response: InferResponse | null = null;
  #error: ServerError | null = null;

  constructor(cache: ModelCache, responder: Responder) {
    super();
    this.#cache = cache;
    this.#responder = responder;
  }

  /** Who is asked where the cache does not know. */
  ask(request: AcceptedRequest): void {
    this.request = request;
  }

  submit(): void {
    assert(this.#stage === 'filling', 'a request was submitted twice');
    const { order, isClosed } = this.#cache;
    order?.enter(this);
    try {
      if (isClosed) this.#submit();
      else this.#lookUp();
    } catch (error) {
      this.#stage = 'over';
      order?.leave(this);
      throw error;
    }
  }

  abandon(): void {
    assert(this.#stage === 'filling', 'a submitted request was abandoned');
    this.#stage = 'over';
    this.request.abandon();
  }

  cancel(): void {
    const stage = this.#stage;
    if (stage === 'filling') this.abandon();
    this.#stage = 'over';
    if (stage === 'looking') {
      this.request.abandon();
      this.#cache.statistics.requestFailed('CANCELED', this.#cache.clock.nowUs() - this.#arrivedUs);
    } else if (stage === 'asked') this.request.cancel();
    // What is answered is delivered when it is its turn, to nobody.
    if (stage === 'looking' || stage === 'asked') this.#cache.deliver(this);
  }

  onResponse(response: InferResponse): void {
    if (this.#key !== '') this.#keep(response);
    this.#response = response;
    this.#stage = 'answered';
    this.#cache.deliver(this);
  }

  onError(error: ServerError): void {
    this.#error = error;
    this.#stage = 'answered';
    this.#cache.deliver(this);
  }

  deliver(): void {
    const response = this.#response;
    this.#response = null;
    if (this.#stage === 'over') {
      response?.release();
      return;
    }
    this.#stage = 'over';
    if (this.#error !== null) this.#responder.onError(this.#error);
    else this.#responder.onResponse(response!);
  }

  /** It has nothing before its only answer. */
  onTurn(): void {}

  #lookUp(): void {
    const { clock, keys, store } = this.#cache;
    this.#stage = 'looking';
    this.#arrivedUs = clock.nowUs();
    this.#key = keys.keyOf(this.request);
    const found = store.lookup(this.#key);
    if (found instanceof Promise) this.#await(found);
    else this.#take(found);
  }

  #await(found: Promise<CacheEntry | null>): void {
    this.#cache.lookupBegins();
    void found.then((entry) => {
      if (this.#stage === 'looking') this.#takeLate(entry);
      this.#cache.lookupEnded();
    });
  }

  /** Whoever submitted it has gone on: what is thrown is its answer. */
  #takeLate(entry: CacheEntry | null): void {
    try {
      this.#take(entry);
    } catch (error) {
      this.onError(asServerError(error));
    }
  }

  #take(entry: CacheEntry | null): void {
    const request = this.request;
    const response = entry === null ? null : CachedResponse.of(request.model as CachedModel, request.plan, entry);
    const { clock, statistics } = this.#cache;
    this.#lookupUs = clock.nowUs() - this.#arrivedUs;
    if (response === null) {
      this.#submit();
      return;
    }
    this.#stage = 'answered';
    this.#response = response;
    request.abandon();
    statistics.cacheHit(this.#lookupUs, Math.max(1, request.plan.batchSize));
    // No answer comes inside `submit`.
    queueMicrotask(() => this.#cache.deliver(this));
  }

  #submit(): void {
    this.#stage = 'asked';
    this.request.submit();
  }

  /** What a model says beside its outputs would be lost: such an answer is not kept. */
  #keep(response: InferResponse): void {
    if (response.parameters !== null) return;
    const { clock, statistics, store } = this.#cache;
    const beginUs = clock.nowUs();
    if (!store.insert(this.#key, entryOf(response))) return;
    statistics.cacheMiss(this.#lookupUs + clock.nowUs() - beginUs);
  }
}
