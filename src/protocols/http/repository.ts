import type { InferenceServer } from '../../core/server.js';
import type { LoadOverrides } from '../../repository/overrides.js';
import { invalid } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { type JsonPool, LARGE_JSON_BYTES, sharedBody } from '../json-pool.js';
import { loadOverrides, parametersOf, readBody, unloadsDependents } from '../load-request.js';
import type { Endpoint } from '../routes.js';
import type { BodySink, ExchangeOwner, HttpExchange } from './engine.js';
import { replyError, replyJson } from './reply.js';

type RepositoryEndpoint = Extract<Endpoint, 'index' | 'load' | 'unload'>;

/** The bodies of these are a few words; only a load brings files along. */
const LARGEST_BODY_BYTES: Readonly<Record<RepositoryEndpoint, number>> = {
  index: 1 << 20,
  load: Number.POSITIVE_INFINITY,
  unload: 1 << 20,
};

type Json = Readonly<Record<string, unknown>>;

/** `POST /v2/repository/...` (fact sheet 1.5): index, load and unload. Their bodies may be empty. */
export class RepositoryEndpoints {
  readonly server: InferenceServer;
  readonly budget: BodyBudget;
  readonly pool: JsonPool;

  constructor(server: InferenceServer, budget: BodyBudget, pool: JsonPool) {
    this.server = server;
    this.budget = budget;
    this.pool = pool;
  }

  handle(exchange: HttpExchange, endpoint: RepositoryEndpoint, model: string): void {
    new RepositoryCall(this, endpoint, model).start(exchange);
  }
}

class RepositoryCall implements BodySink, ExchangeOwner {
  readonly #host: RepositoryEndpoints;
  readonly #body: BodyBuffer;
  readonly #endpoint: RepositoryEndpoint;
  readonly #model: string;
  #isGone = false;

  constructor(host: RepositoryEndpoints, endpoint: RepositoryEndpoint, model: string) {
    this.#host = host;
    this.#body = new BodyBuffer(host.budget);
    this.#endpoint = endpoint;
    this.#model = model;
  }

  start(exchange: HttpExchange): void {
    exchange.owner = this;
    exchange.readBody(this);
  }

  onSent(): void {
    this.#body.clear();
  }

  onAborted(): void {
    this.#isGone = true;
    this.#body.clear();
  }

  onChunk(exchange: HttpExchange, chunk: Uint8Array, last: boolean): void {
    try {
      this.#body.append(chunk);
      if (this.#body.length > LARGEST_BODY_BYTES[this.#endpoint])
        throw invalid(`the body of this request has up to ${LARGEST_BODY_BYTES[this.#endpoint]} bytes`);
      if (last) void this.#answer(exchange);
    } catch (error) {
      replyError(exchange, error);
    }
  }

  async #answer(exchange: HttpExchange): Promise<void> {
    let answer: unknown;
    try {
      answer = await this.#run();
    } catch (error) {
      if (!this.#isGone) replyError(exchange, error);
      return;
    }
    if (!this.#isGone) replyJson(exchange, 200, answer);
  }

  /** KServe's own server answers loads and unloads like this; other clients do not look. */
  async #run(): Promise<unknown> {
    const { view } = this.#body;
    const { server } = this.#host;
    const isLarge = view.length > LARGE_JSON_BYTES;
    const name = this.#model;
    switch (this.#endpoint) {
      case 'index':
        return server.index(readyOnly(readBody(view)));
      case 'load':
        await server.load(name, isLarge ? await this.#readLarge(view) : loadOverrides(parametersOf(readBody(view))));
        return { name, load: true };
      case 'unload':
        server.unload(name, unloadsDependents(parametersOf(readBody(view))));
        return { name, unload: true };
    }
  }

  /** Another thread reads it; the memory it came in is given back before the model is loaded. */
  async #readLarge(body: Buffer): Promise<LoadOverrides> {
    const shared = sharedBody(body);
    const { length } = body;
    this.#body.clear();
    return this.#host.pool.readLoad({ body: shared, length });
  }
}

function readyOnly({ ready = false }: Json): boolean {
  if (typeof ready !== 'boolean') throw invalid("Invalid value for 'ready': expected a boolean");
  return ready;
}
