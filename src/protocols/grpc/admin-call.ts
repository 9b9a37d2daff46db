import type { InferenceServer } from '../../core/server.js';
import { invalid } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import { GRPC_UNIMPLEMENTED } from '../status.js';
import type { AdminMethod } from './admin-method.js';
import type { GrpcCall } from './engine.js';
import { MessageType, type ProtoMessage, protoRoot } from './proto.js';
import { endWith, WholeMessages } from './whole-messages.js';

/** A method with one message each way, and how they are written. */
export interface UnaryMethod {
  readonly request: MessageType;
  readonly response: MessageType;
  readonly run: AdminMethod;
}

/** Takes a call whose head is complete. */
export type OpenCall = (call: GrpcCall) => void;

/** The messages of a method, by its path. */
export function unaryMethod(path: string, run: UnaryMethod['run']): UnaryMethod {
  const [, service, name] = path.split('/');
  const { resolvedRequestType, resolvedResponseType } = protoRoot().lookupService(service!).methods[name!]!;
  const typeOf = (type: { fullName: string } | null) => new MessageType(type!.fullName.slice(1));
  return { request: typeOf(resolvedRequestType), response: typeOf(resolvedResponseType), run };
}

/** A call of an administrative method. */
export class AdminCall extends WholeMessages {
  readonly #server: InferenceServer;
  readonly #method: UnaryMethod;
  #isAsked = false;
  #isOver = false;

  constructor(server: InferenceServer, method: UnaryMethod, budget: BodyBudget) {
    super(budget);
    this.#server = server;
    this.#method = method;
  }

  onMessage(call: GrpcCall, message: Buffer): void {
    if (this.#isAsked) {
      this.#isOver = true;
      call.end(GRPC_UNIMPLEMENTED, `a second request message came for ${call.path}`);
      return;
    }
    this.#isAsked = true;
    try {
      const answer = this.#method.run(this.#server, decode(this.#method.request, message));
      if (answer instanceof Promise) void this.#answerLater(call, answer);
      else call.reply(this.#method.response.encode(answer));
    } catch (error) {
      endWith(call, error);
    }
  }

  async #answerLater(call: GrpcCall, answer: Promise<object>): Promise<void> {
    try {
      const message = this.#method.response.encode(await answer);
      if (!this.#isOver) call.reply(message);
    } catch (error) {
      if (!this.#isOver) endWith(call, error);
    }
  }

  onHalfClose(call: GrpcCall): void {
    // An answer that takes a while is still to come.
    if (this.#isAsked) return;
    call.end(GRPC_UNIMPLEMENTED, `no request message came for ${call.path}`);
  }

  protected ended(): void {
    this.#isOver = true;
  }
}

/** Throws INVALID_ARGUMENT. */
export function decode(type: MessageType, message: Buffer): ProtoMessage {
  try {
    return type.decode(message);
  } catch (error) {
    throw invalid(`the message cannot be read: ${(error as Error).message}`);
  }
}
