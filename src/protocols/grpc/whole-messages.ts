import { asServerError } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { grpcStatus } from '../status.js';
import type { GrpcCall, GrpcCallOwner } from './engine.js';

/** An owner of one call whose messages are rare and needed whole: puts those together that come in pieces. */
export abstract class WholeMessages implements GrpcCallOwner {
  readonly #body: BodyBuffer;

  constructor(budget: BodyBudget) {
    this.#body = new BodyBuffer(budget);
  }

  abstract onMessage(call: GrpcCall, message: Buffer): void;
  abstract onHalfClose(call: GrpcCall): void;
  /** Nothing more comes. */
  protected abstract ended(): void;

  onMessageBegin(): void {
    this.#body.clear();
  }

  onPiece(call: GrpcCall, piece: Buffer): void {
    try {
      this.#body.append(piece);
    } catch (error) {
      this.#body.clear();
      this.ended();
      endWith(call, error);
    }
  }

  onMessageEnd(call: GrpcCall): void {
    const message = Buffer.from(this.#body.view);
    this.#body.clear();
    this.onMessage(call, message);
  }

  onCancel(): void {
    this.#body.clear();
    this.ended();
  }

  onDrain(_call: GrpcCall): void {}
}

/** Ends a call with the status and the text of a failure. */
export function endWith(call: GrpcCall, failure: unknown): void {
  const { code, message } = asServerError(failure);
  call.end(grpcStatus[code], message);
}
