import type { InferenceServer } from '../../core/server.js';
import { invalid } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import { GRPC_UNIMPLEMENTED } from '../status.js';
import type { AdminMethod } from './admin.js';
import type { GrpcCall } from './engine.js';
import type { MessageType, ProtoMessage } from './proto.js';
import { endWith, WholeMessages } from './whole-messages.js';

/** A method with one message each way, and how they are written. */
export interface UnaryMethod {
  readonly request: MessageType;
  readonly response: MessageType;
  readonly run: AdminMethod;
}

/** A call of an administrative method. */
export class AdminCall extends WholeMessages {
  readonly #server: InferenceServer;
  readonly #method: UnaryMethod;

  constructor(server: InferenceServer, method: UnaryMethod, budget: BodyBudget) {
    super(budget);
    this.#server = server;
    this.#method = method;
  }

  onMessage(call: GrpcCall, message: Buffer): void {
    try {
      const request = decode(this.#method.request, message);
      call.reply(this.#method.response.encode(this.#method.run(this.#server, request)));
    } catch (error) {
      endWith(call, error);
    }
  }

  onHalfClose(call: GrpcCall): void {
    call.end(GRPC_UNIMPLEMENTED, `no request message came for ${call.path}`);
  }

  protected ended(): void {}
}

/** Throws INVALID_ARGUMENT. */
export function decode(type: MessageType, message: Buffer): ProtoMessage {
  try {
    return type.decode(message);
  } catch (error) {
    throw invalid(`the message cannot be read: ${(error as Error).message}`);
  }
}
