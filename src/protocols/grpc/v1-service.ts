import { asServerError, invalid, ServerError } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import { V1Memory } from '../v1-memory.js';
import type { V1Server } from '../v1-server.js';
import { AdminCall, type OpenCall, unaryMethod } from './admin-call.js';
import type { AdminMethod } from './admin-method.js';
import type { ProtoMessage } from './proto.js';
import { V1InferEndpoint } from './v1-infer.js';

export const V1_SERVICE = 'nvidia.inferenceserver.GRPCService';

const LOAD = 1;

/** The service of 19.11 (v1 fact sheet 2): every call ends with OK, and what went wrong is in its `request_status`. */
export class V1Service {
  readonly #v1: V1Server;
  readonly #budget: BodyBudget;
  readonly #memory: V1Memory;
  readonly #infer: V1InferEndpoint;

  constructor(v1: V1Server, budget: BodyBudget) {
    this.#v1 = v1;
    this.#budget = budget;
    this.#memory = new V1Memory(v1);
    this.#infer = new V1InferEndpoint(v1, budget);
  }

  methods(): [string, OpenCall][] {
    return [
      [`/${V1_SERVICE}/Infer`, (call) => this.#infer.openUnary(call)],
      [`/${V1_SERVICE}/StreamInfer`, (call) => this.#infer.openStream(call)],
      this.#unary('Status', ({ model_name }) => ({ server_status: this.#v1.status(model_name as string) })),
      this.#unary('Health', ({ mode }) => ({ health: this.#v1.health(mode as string) })),
      this.#unary('ModelControl', (request) => this.#modelControl(request)),
      this.#unary('SharedMemoryControl', (request) => this.#memoryControl(request)),
    ];
  }

  /** Streams answer what they have, and end. */
  drain(): void {
    this.#infer.drain();
  }

  /** @param run what the answer has beside its status */
  #unary(name: string, run: (request: ProtoMessage) => object | Promise<object>): [string, OpenCall] {
    const path = `/${V1_SERVICE}/${name}`;
    const failed = (error: unknown) => ({ request_status: this.#v1.requestStatus(asServerError(error)) });
    const succeeded = (answer: object) => ({ request_status: this.#v1.requestStatus(null), ...answer });
    const answer: AdminMethod = (_server, request) => {
      try {
        const result = run(request);
        return result instanceof Promise ? result.then(succeeded, failed) : succeeded(result);
      } catch (error) {
        return failed(error);
      }
    };
    const method = unaryMethod(path, answer);
    return [
      path,
      (call) => {
        call.owner = new AdminCall(this.#v1.server, method, this.#budget);
      },
    ];
  }

  #modelControl({ model_name, type }: ProtoMessage): object | Promise<object> {
    if (type === LOAD) return this.#v1.load(model_name as string).then(() => ({}));
    this.#v1.unload(model_name as string);
    return {};
  }

  #memoryControl(request: ProtoMessage): object {
    const what = request.shared_memory_control;
    if (what === 'register') this.#register(request.register as ProtoMessage);
    else if (what === 'unregister') this.#memory.unregister((request.unregister as ProtoMessage).name as string);
    else if (what === 'unregister_all') this.#memory.unregisterAll();
    else if (what === 'status') return this.#memoryStatus();
    else
      throw new ServerError('UNKNOWN', 'the request asks for none of register, unregister, unregister_all and status');
    return {};
  }

  #register({ name, shared_memory_types, system_shared_memory, cuda_shared_memory, byte_size }: ProtoMessage): void {
    if (shared_memory_types === 'system_shared_memory') {
      const { shared_memory_key, offset } = system_shared_memory as ProtoMessage;
      const facts = { name: name as string, key: shared_memory_key as string };
      this.#memory.register({ ...facts, offset: Number(offset), byteSize: Number(byte_size) });
    } else if (shared_memory_types === 'cuda_shared_memory') {
      const { raw_handle } = cuda_shared_memory as { raw_handle: Uint8Array };
      this.#memory.registerCuda(name as string, raw_handle.length);
    } else {
      throw invalid(`the registration of shared memory block '${name}' says neither system nor CUDA shared memory`);
    }
  }

  /** Libraries of 19.11 read the field of one number, clients that are made of the .proto file that of the other (v1 fact sheet 2.1). */
  #memoryStatus(): object {
    const regions = this.#memory.status();
    return { shared_memory_status: { shared_memory_region: regions, shared_memory_region_of_status: regions } };
  }
}
