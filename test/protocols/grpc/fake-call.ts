import type { GrpcCall, GrpcCallOwner, PartsHolder } from '../../../src/protocols/grpc/engine.js';
import { TestOwner } from './engine-fixture.js';

/** A call without a client: tests play the engine. */
export class FakeCall implements GrpcCall {
  readonly path = '/fake.Service/Call';
  readonly deadlineUs = 0;
  owner: GrpcCallOwner = new TestOwner();
  compress = false;
  isWritable = true;
  isPaused = false;
  readonly sent: Buffer[] = [];
  /** `status: message`; '' = open. */
  ended = '';
  readonly #metadata: Readonly<Record<string, string>>;

  constructor(metadata: Readonly<Record<string, string>> = {}) {
    this.#metadata = metadata;
  }

  metadata(name: string): string {
    return this.#metadata[name] ?? '';
  }

  eachMetadata(visit: (name: string, value: string) => void): void {
    for (const [name, value] of Object.entries(this.#metadata)) visit(name, value);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  reply(message: Uint8Array): void {
    this.send(message);
    this.end(0, '');
  }

  replyParts(parts: readonly Uint8Array[], holder: PartsHolder): void {
    this.sendParts(parts, holder);
    this.end(0, '');
  }

  send(message: Uint8Array): void {
    if (this.ended === '') this.sent.push(Buffer.from(message));
  }

  sendParts(parts: readonly Uint8Array[], holder: PartsHolder): void {
    this.send(Buffer.concat(parts));
    holder.onPartsReleased();
  }

  end(status: number, message: string): void {
    if (this.ended === '') this.ended = `${status}: ${message}`;
  }

  cut(status: number, message: string): void {
    this.end(status, `cut: ${message}`);
  }

  /** A message that comes in these pieces; without its end where `complete` is false. */
  pieces(pieces: readonly Buffer[], complete = true): void {
    this.owner.onMessageBegin(
      this,
      pieces.reduce((sum, { length }) => sum + length, 0),
    );
    for (const piece of pieces) if (this.ended === '') this.owner.onPiece(this, piece);
    if (complete && this.ended === '') this.owner.onMessageEnd(this);
  }
}
