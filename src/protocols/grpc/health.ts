import type { InferenceServer } from '../../core/server.js';
import type { BodyBudget } from '../body-buffer.js';
import { GRPC_UNAVAILABLE, GRPC_UNIMPLEMENTED } from '../status.js';
import { decode } from './admin-call.js';
import type { GrpcCall } from './engine.js';
import { SHUTTING_DOWN } from './infer-stream.js';
import { MessageType } from './proto.js';
import { endWith, WholeMessages } from './whole-messages.js';

/** How often watched readiness is looked at. */
const LOOK_MS = 500;

export const HEALTH_SERVICE = 'grpc.health.v1.Health';

/** Whatever service is named, its status is whether the server is ready (fact sheet 3.1). */
export function healthOf(server: InferenceServer): { status: 'SERVING' | 'NOT_SERVING' } {
  return { status: server.isReady ? 'SERVING' : 'NOT_SERVING' };
}

/** `Watch`: all calls of it share a timer, which runs while there are some. */
export class HealthWatch {
  readonly #server: InferenceServer;
  readonly #budget: BodyBudget;
  readonly #request = new MessageType('grpc.health.v1.HealthCheckRequest');
  readonly #response = new MessageType('grpc.health.v1.HealthCheckResponse');
  readonly #watching = new Map<GrpcCall, string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(server: InferenceServer, budget: BodyBudget) {
    this.#server = server;
    this.#budget = budget;
  }

  open(call: GrpcCall): void {
    call.owner = new WatchCall(this, this.#budget);
  }

  /** For `WatchCall` alone. */
  begin(call: GrpcCall, message: Buffer): void {
    decode(this.#request, message);
    this.#watching.set(call, '');
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    this.#tell(call);
  }

  remove(call: GrpcCall): void {
    this.#watching.delete(call);
    if (this.#watching.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** The server goes down: every watcher is told, and its call ends. */
  drain(): void {
    this.#look();
    for (const call of [...this.#watching.keys()]) {
      this.remove(call);
      call.end(GRPC_UNAVAILABLE, SHUTTING_DOWN);
    }
  }

  #look(): void {
    for (const call of this.#watching.keys()) this.#tell(call);
  }

  /** Says nothing where nothing changed, or where the client does not read: what it missed is over when it does. */
  #tell(call: GrpcCall): void {
    const health = healthOf(this.#server);
    if (this.#watching.get(call) === health.status || !call.isWritable) return;
    this.#watching.set(call, health.status);
    call.send(this.#response.encode(health));
  }
}

class WatchCall extends WholeMessages {
  readonly #watch: HealthWatch;
  #call: GrpcCall | null = null;

  constructor(watch: HealthWatch, budget: BodyBudget) {
    super(budget);
    this.#watch = watch;
  }

  onMessage(call: GrpcCall, message: Buffer): void {
    if (this.#call !== null) return;
    this.#call = call;
    try {
      this.#watch.begin(call, message);
    } catch (error) {
      endWith(call, error);
    }
  }

  /** The client has said what it watches. */
  onHalfClose(call: GrpcCall): void {
    if (this.#call === null) call.end(GRPC_UNIMPLEMENTED, `no request message came for ${call.path}`);
  }

  protected ended(): void {
    if (this.#call !== null) this.#watch.remove(this.#call);
  }
}
