import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
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

  onPiece(_call: GrpcCall, piece: Buffer): void {
    this.#body.append(piece);
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
