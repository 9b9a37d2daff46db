import { asServerError } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import { answers, type Route, type V1Endpoint } from '../routes.js';
import { V1Memory } from '../v1-memory.js';
import { V1Message } from '../v1-messages.js';
import type { V1Server } from '../v1-server.js';
import type { HttpExchange } from './engine.js';
import { V1InferEndpoint } from './v1-infer.js';
import { replyEmpty, replyMessage } from './v1-reply.js';

const statusPath = /^(?:\/(.*))?$/;
const controlPath = /^\/(load|unload)\/([^/]+)$/;
/** A key begins with a slash of its own. */
const registerPath = /^\/register\/([^/]+)\/(\/[^/]+)\/([0-9]+)\/([0-9]+)$/;
const cudaRegisterPath = /^\/cudaregister\/([^/]+)\/([0-9]+)\/([0-9]+)$/;
const unregisterPath = /^\/unregister\/([^/]+)$/;
const unregisterAllPath = '/unregisterall';

/** Which families of endpoints a port has. */
export type V1Families = (endpoint: V1Endpoint) => boolean;

/** `/api/...`: the protocol of 19.11 over HTTP (v1 fact sheet 1.2). Method, then path, then what is asked for. */
export class V1Endpoints {
  readonly #v1: V1Server;
  readonly #serves: V1Families;
  readonly #memory: V1Memory;
  readonly #infer: V1InferEndpoint;
  readonly #serverStatus = new V1Message('ServerStatus');
  readonly #memoryStatus = new V1Message('SharedMemoryStatus');

  /** @param serves families that this port has: any other is 400, whatever the method */
  constructor(v1: V1Server, budget: BodyBudget, serves: V1Families) {
    this.#serves = serves;
    this.#v1 = v1;
    this.#memory = new V1Memory(v1);
    this.#infer = new V1InferEndpoint(v1, budget);
  }

  handle(exchange: HttpExchange, endpoint: V1Endpoint, route: Route): void {
    if (!this.#serves(endpoint)) {
      replyEmpty(exchange, 400);
      return;
    }
    if (!answers(endpoint, exchange.method)) {
      replyEmpty(exchange, 405);
      return;
    }
    const rest = route.rest!;
    if (endpoint === 'v1-infer') this.#inferOf(exchange, route);
    else if (endpoint === 'v1-health') this.#health(exchange, rest);
    else if (endpoint === 'v1-status') this.#status(exchange, rest);
    else if (endpoint === 'v1-model-control') this.#control(exchange, rest);
    else if (endpoint === 'v1-memory-status') this.#replyMemoryStatus(exchange);
    else this.#memoryControl(exchange, rest);
  }

  #inferOf(exchange: HttpExchange, { model, version }: Route): void {
    if (model === '') replyEmpty(exchange, 400);
    else this.#infer.handle(exchange, model, version);
  }

  /** That the answer is no is no failure. */
  #health(exchange: HttpExchange, rest: string): void {
    if (rest !== '/live' && rest !== '/ready') {
      replyEmpty(exchange, 400);
      return;
    }
    this.#answer(exchange, () => {
      const isGood = this.#v1.health(rest.slice(1));
      replyEmpty(exchange, isGood ? 200 : 400, this.#v1.statusLine(null));
    });
  }

  #status(exchange: HttpExchange, rest: string): void {
    const match = statusPath.exec(rest);
    if (match === null) {
      replyEmpty(exchange, 400);
      return;
    }
    this.#answer(exchange, () => {
      const status = this.#v1.status(match[1] ?? '');
      replyMessage(exchange, this.#serverStatus, status, this.#v1.statusLine(null));
    });
  }

  #control(exchange: HttpExchange, rest: string): void {
    const match = controlPath.exec(rest);
    if (match === null) {
      replyEmpty(exchange, 400);
      return;
    }
    const [, action, name] = match;
    if (action === 'load') void this.#load(exchange, name!);
    else {
      this.#answer(exchange, () => {
        this.#v1.unload(name!);
        replyEmpty(exchange, 200, this.#v1.statusLine(null));
      });
    }
  }

  async #load(exchange: HttpExchange, name: string): Promise<void> {
    let isGone = false;
    exchange.owner = { onSent() {}, onAborted: () => (isGone = true) };
    const failure = await this.#v1.load(name).then(
      () => null,
      (error) => asServerError(error),
    );
    if (!isGone) replyEmpty(exchange, failure === null ? 200 : 400, this.#v1.statusLine(failure));
  }

  /** Always good (v1 fact sheet 1.11). */
  #replyMemoryStatus(exchange: HttpExchange): void {
    this.#answer(exchange, () => {
      const status = { shared_memory_region: this.#memory.status() };
      replyMessage(exchange, this.#memoryStatus, status, this.#v1.statusLine(null));
    });
  }

  #memoryControl(exchange: HttpExchange, rest: string): void {
    const run = this.#memoryAction(exchange, rest);
    if (run === null) {
      replyEmpty(exchange, 400);
      return;
    }
    this.#answer(exchange, () => {
      run();
      replyEmpty(exchange, 200, this.#v1.statusLine(null));
    });
  }

  /** Null = the path asks for nothing. */
  #memoryAction(exchange: HttpExchange, rest: string): (() => void) | null {
    const memory = this.#memory;
    const register = registerPath.exec(rest);
    if (register !== null) {
      const [, name, key, offset, byteSize] = register;
      return () => memory.register({ name: name!, key: key!, offset: Number(offset), byteSize: Number(byteSize) });
    }
    const cuda = cudaRegisterPath.exec(rest);
    if (cuda !== null) return () => memory.registerCuda(cuda[1]!, exchange.contentLength);
    const unregister = unregisterPath.exec(rest);
    if (unregister !== null) return () => memory.unregister(unregister[1]!);
    return rest === unregisterAllPath ? () => memory.unregisterAll() : null;
  }

  #answer(exchange: HttpExchange, run: () => void): void {
    try {
      run();
    } catch (error) {
      replyEmpty(exchange, 400, this.#v1.statusLine(asServerError(error)));
    }
  }
}
