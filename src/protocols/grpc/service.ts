import type { Log } from '../../base/log.js';
import type { InferenceServer } from '../../core/server.js';
import type { BodyBudget } from '../body-buffer.js';
import type { HeaderForward } from '../header-forward.js';
import { GRPC_UNAVAILABLE, GRPC_UNIMPLEMENTED } from '../status.js';
import type { V1Server } from '../v1-server.js';
import { adminMethods } from './admin.js';
import { AdminCall, type OpenCall, type UnaryMethod, unaryMethod } from './admin-call.js';
import type { GrpcCall, GrpcHandler } from './engine.js';
import { HEALTH_SERVICE, HealthWatch, healthOf } from './health.js';
import { InferEndpoint } from './infer-endpoint.js';
import { SHUTTING_DOWN } from './infer-stream.js';
import { REFLECTION_SERVICES, Reflection } from './reflection.js';
import { V1_SERVICE, V1Service } from './v1-service.js';
import { endWith } from './whole-messages.js';

const INFERENCE_SERVICE = 'inference.GRPCInferenceService';
const SERVICES = [INFERENCE_SERVICE, HEALTH_SERVICE, V1_SERVICE, ...REFLECTION_SERVICES];

/** All services over gRPC: what `GrpcEngine.listen` is given. */
export class GrpcService implements GrpcHandler {
  readonly methods: readonly string[];
  readonly #server: InferenceServer;
  readonly #log: Log;
  readonly #budget: BodyBudget;
  readonly #infer: InferEndpoint;
  readonly #watch: HealthWatch;
  readonly #v1: V1Service;
  readonly #open: ReadonlyMap<string, OpenCall>;

  /** @param forward null = no metadata becomes parameters */
  constructor(v1: V1Server, budget: BodyBudget, log: Log, forward: HeaderForward | null = null) {
    const { server } = v1;
    this.#server = server;
    this.#budget = budget;
    this.#log = log;
    this.#infer = new InferEndpoint(server, budget, forward);
    this.#watch = new HealthWatch(server, budget);
    this.#v1 = new V1Service(v1, budget);
    this.#open = new Map([
      ...this.#inferenceMethods(),
      ...this.#healthMethods(),
      ...this.#reflectionMethods(),
      ...this.#v1.methods(),
    ]);
    this.methods = [...this.#open.keys()];
  }

  onCall(call: GrpcCall): void {
    try {
      const open = this.#open.get(call.path);
      if (open === undefined) call.end(GRPC_UNIMPLEMENTED, `there is no method ${call.path}`);
      else open(call);
    } catch (error) {
      this.#log.verbose(1, `${call.path}: ${String(error)}`);
      endWith(call, error);
    }
  }

  /** Streams that would go on for ever answer what they have, and end. */
  drain(): void {
    this.#infer.drain();
    this.#watch.drain();
    this.#v1.drain();
  }

  #inferenceMethods(): [string, OpenCall][] {
    const streaming: [string, OpenCall][] = [
      [`/${INFERENCE_SERVICE}/ModelInfer`, this.#whileOpen((call) => this.#infer.openUnary(call))],
      [`/${INFERENCE_SERVICE}/ModelStreamInfer`, this.#whileOpen((call) => this.#infer.openStream(call))],
    ];
    const admin = Object.entries(adminMethods).map(([name, run]): [string, OpenCall] => {
      const path = `/${INFERENCE_SERVICE}/${name}`;
      return [path, this.#unary(path, run)];
    });
    return [...streaming, ...admin];
  }

  #healthMethods(): [string, OpenCall][] {
    const check = `/${HEALTH_SERVICE}/Check`;
    return [
      [check, this.#unary(check, healthOf)],
      [`/${HEALTH_SERVICE}/Watch`, (call) => this.#watch.open(call)],
    ];
  }

  #reflectionMethods(): [string, OpenCall][] {
    const reflection = new Reflection(SERVICES, this.#budget);
    return REFLECTION_SERVICES.map((name) => [`/${name}/ServerReflectionInfo`, (call) => reflection.open(call)]);
  }

  #unary(path: string, run: UnaryMethod['run']): OpenCall {
    const method = unaryMethod(path, run);
    return (call) => {
      call.owner = new AdminCall(this.#server, method, this.#budget);
    };
  }

  /** Work that comes when the server goes down is refused; what asks how it is is not. */
  #whileOpen(open: OpenCall): OpenCall {
    return (call) => {
      if (this.#server.state === 'ready') open(call);
      else call.end(GRPC_UNAVAILABLE, SHUTTING_DOWN);
    };
  }
}
