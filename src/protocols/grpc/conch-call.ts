import type { Http2Stream, RequestFields, StreamHandler } from '../../transport/http2/stream.js';
import { ErrorCode } from '../../transport/http2/wire.js';
import { asServerError } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import { GRPC_DEADLINE_EXCEEDED, GRPC_INTERNAL, GRPC_OK, GRPC_RESOURCE_EXHAUSTED, grpcStatus } from '../status.js';
import type { Expiring } from './deadlines.js';
import type { CompressionLevel, GrpcCall, GrpcCallOwner, PartsHolder } from './engine.js';
import { OK_TRAILERS, responseHeads, statusTrailers, trailersOnly } from './header-blocks.js';
import { type Algorithm, chooseAlgorithm, deflateMessage, inflateMessage } from './message-codec.js';
import { MessageReader, type MessageSink, PREFIX_BYTES } from './message-reader.js';
import { nobody } from './nobody.js';
import { PartsOwner } from './parts-owner.js';

/** What a call needs of its listener. */
export interface ConchHost {
  readonly maxMessageBytes: number;
  readonly compression: CompressionLevel;
  readonly budget: BodyBudget;
  /** It is over; exactly once. */
  onClosed(call: ConchCall): void;
  /** An owner threw. */
  onThrown(call: ConchCall, error: unknown): void;
}

/** open. ended: the owner said so, and hears no more. over: the stream is done as well. */
type CallState = 'open' | 'ended' | 'over';

/** A prefix is written anew for each message, and copied at once. */
const prefix = Buffer.alloc(PREFIX_BYTES);

/** Takes a step of an answer that waits for one before it, which is being compressed. */
type Step = () => void;

/** One call on a stream of our own HTTP/2. */
export class ConchCall implements GrpcCall, StreamHandler, MessageSink, Expiring {
  readonly path: string;
  readonly deadlineUs: number;
  owner: GrpcCallOwner = nobody;
  compress = false;
  readonly #host: ConchHost;
  readonly #stream: Http2Stream;
  readonly #reader: MessageReader;
  readonly #encoding: Algorithm;
  readonly #accepted: string;
  /** Of the request; only inside `onCall`. */
  #fields: RequestFields | null;
  #state: CallState = 'open';
  #hasResponded = false;
  #isWritable = true;
  /** Null = answers go out at once. */
  #steps: Step[] | null = null;
  #isPaused = false;
  #isInflating = false;

  constructor(host: ConchHost, stream: Http2Stream, fields: RequestFields, deadlineUs: number, encoding: Algorithm) {
    this.path = fields.path;
    this.deadlineUs = deadlineUs;
    this.#host = host;
    this.#stream = stream;
    this.#fields = fields;
    this.#encoding = encoding;
    this.#accepted = host.compression === 'none' ? '' : (fields.get('grpc-accept-encoding') ?? '');
    this.#reader = new MessageReader(this, host.maxMessageBytes, host.budget);
  }

  /** Metadata cannot be read any more. */
  opened(): void {
    this.#fields = null;
  }

  metadata(name: string): string {
    return this.#fields?.get(name) ?? '';
  }

  eachMetadata(visit: (name: string, value: string) => void): void {
    const fields = this.#fields;
    if (fields === null) return;
    for (let index = 0; index < fields.length; index++) {
      const name = fields.nameAt(index);
      if (!isOfTransport(name)) visit(name, fields.valueAt(index));
    }
  }

  get isWritable(): boolean {
    return this.#isWritable && this.#steps === null;
  }

  pause(): void {
    this.#isPaused = true;
    this.#reader.hold();
  }

  resume(): void {
    this.#isPaused = false;
    this.#releaseReader();
  }

  reply(bytes: Uint8Array, begin = 0, end = bytes.length): void {
    this.send(bytes, begin, end);
    this.end(GRPC_OK, '');
  }

  replyParts(parts: readonly Uint8Array[], holder: PartsHolder): void {
    this.sendParts(parts, holder);
    this.end(GRPC_OK, '');
  }

  send(bytes: Uint8Array, begin = 0, end = bytes.length): void {
    if (this.#state !== 'open') return;
    if (this.#algorithm() !== 'identity') this.#sendCompressed(Buffer.from(bytes.subarray(begin, end)));
    else this.#write(bytes, begin, end);
  }

  sendParts(parts: readonly Uint8Array[], holder: PartsHolder): void {
    if (this.#state !== 'open' || this.#algorithm() !== 'identity') {
      if (this.#state === 'open') this.#sendCompressed(Buffer.concat(parts));
      holder.onPartsReleased();
      return;
    }
    this.#respond('identity');
    this.#writePrefix(countBytes(parts), false);
    const owner = new PartsOwner(holder, parts.length);
    for (const part of parts) this.#blocked(this.#stream.writeView(part, owner));
    if (parts.length === 0) holder.onPartsReleased();
  }

  end(status: number, message: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#reader.stop();
    if (this.#steps !== null) this.#steps.push(() => this.#writeEnd(status, message));
    else this.#writeEnd(status, message);
  }

  cut(): void {
    if (this.#state !== 'over') {
      this.#state = 'over';
      this.#steps = null;
      this.#reader.stop();
      this.#host.onClosed(this);
    }
    this.#stream.reset(ErrorCode.ENHANCE_YOUR_CALM);
  }

  onData(_stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    try {
      this.#reader.feed(bytes, start, end);
    } catch (error) {
      this.#fail(error);
    }
    this.#stream.awaitsBody = this.#state === 'open' && !this.#isHeld() && !this.#reader.isBetween;
  }

  onEnd(): void {
    try {
      this.#reader.end();
    } catch (error) {
      this.#fail(error);
    }
  }

  onReset(): void {
    this.#cancel();
  }

  onDrain(): void {
    if (this.#isWritable) return;
    this.#isWritable = true;
    this.#tellDrained();
  }

  onMessage(message: Buffer): void {
    this.owner.onMessage(this, message);
  }

  onMessageBegin(length: number): void {
    this.owner.onMessageBegin(this, length);
  }

  onPiece(piece: Buffer): void {
    this.owner.onPiece(this, piece);
  }

  onMessageEnd(): void {
    this.owner.onMessageEnd(this);
  }

  onTaken(bytes: number): void {
    this.#stream.consume(bytes);
  }

  onTooLarge(length: number): void {
    const text = `Received message larger than max (${length} vs. ${this.#host.maxMessageBytes})`;
    this.#giveUp(GRPC_RESOURCE_EXHAUSTED, text);
  }

  onBadFlag(flag: number): void {
    this.#giveUp(GRPC_INTERNAL, `expected 0 or 1 as the compressed-flag of a message, found ${flag}`);
  }

  onCompressed(message: Buffer): void {
    if (this.#encoding === 'identity') {
      this.#giveUp(GRPC_INTERNAL, 'a message is marked as compressed, but the call has no grpc-encoding');
      return;
    }
    this.#isInflating = true;
    this.#reader.hold();
    inflateMessage(this.#encoding, message, this.#host.maxMessageBytes, (error, plain) => {
      this.#isInflating = false;
      if (this.#state === 'open') this.#takeInflated(error, plain);
    });
  }

  onHalfClose(isComplete: boolean): void {
    if (isComplete) this.owner.onHalfClose(this);
    else this.#giveUp(GRPC_INTERNAL, 'the request ends in the middle of a message');
  }

  /** The deadline has passed. */
  expire(): void {
    this.#giveUp(GRPC_DEADLINE_EXCEEDED, 'Deadline Exceeded');
  }

  #takeInflated(error: 'too-large' | 'broken' | null, plain: Buffer): void {
    if (error === 'too-large') {
      const { maxMessageBytes } = this.#host;
      this.#giveUp(
        GRPC_RESOURCE_EXHAUSTED,
        `Received message that is larger than max after it is inflated (max ${maxMessageBytes})`,
      );
    } else if (error === 'broken') {
      this.#giveUp(GRPC_INTERNAL, `a message cannot be inflated: it is not ${this.#encoding}`);
    } else {
      this.#tellInflated(plain);
    }
  }

  #tellInflated(plain: Buffer): void {
    try {
      this.owner.onMessage(this, plain);
    } catch (error) {
      this.#fail(error);
    }
    this.#releaseReader();
  }

  #isHeld(): boolean {
    return this.#isPaused || this.#isInflating;
  }

  #releaseReader(): void {
    if (this.#isHeld() || this.#state !== 'open') return;
    try {
      this.#reader.release();
    } catch (error) {
      this.#fail(error);
    }
  }

  #algorithm(): Algorithm {
    return this.compress && this.#accepted !== ''
      ? chooseAlgorithm(this.#accepted, this.#host.compression)
      : 'identity';
  }

  #respond(algorithm: Algorithm): void {
    if (this.#hasResponded) return;
    this.#hasResponded = true;
    this.#stream.respond(responseHeads[algorithm]);
  }

  #write(bytes: Uint8Array, begin: number, end: number): void {
    this.#respond('identity');
    this.#writePrefix(end - begin, false);
    this.#blocked(this.#stream.write(bytes, begin, end));
  }

  #writePrefix(length: number, isCompressed: boolean): void {
    prefix[0] = isCompressed ? 1 : 0;
    prefix.writeUInt32BE(length, 1);
    this.#blocked(this.#stream.write(prefix));
  }

  /** Messages leave in order: while one is compressed, what comes after it waits. */
  #sendCompressed(message: Buffer): void {
    const compress = () => {
      const algorithm = this.#algorithm();
      deflateMessage(algorithm, message, this.#host.compression, (compressed) => {
        if (this.#state === 'over') return;
        this.#respond(algorithm);
        this.#writePrefix((compressed ?? message).length, compressed !== null);
        this.#blocked(this.#stream.write(compressed ?? message));
        this.#nextStep();
      });
    };
    if (this.#steps !== null) {
      this.#steps.push(compress);
      return;
    }
    this.#steps = [];
    compress();
  }

  #nextStep(): void {
    const step = this.#steps?.shift();
    if (step !== undefined) {
      step();
      return;
    }
    this.#steps = null;
    this.#tellDrained();
  }

  #blocked(wentOut: boolean): void {
    if (!wentOut) this.#isWritable = false;
  }

  #tellDrained(): void {
    if (this.#state !== 'open' || !this.isWritable) return;
    try {
      this.owner.onDrain(this);
    } catch (error) {
      this.#fail(error);
    }
  }

  #writeEnd(status: number, message: string): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#steps = null;
    if (this.#hasResponded) this.#stream.end(status === GRPC_OK ? OK_TRAILERS : statusTrailers(status, message));
    else this.#stream.end(trailersOnly(status, message));
    this.#host.onClosed(this);
  }

  /** The engine ends the call for a reason of its own. */
  #giveUp(status: number, message: string): void {
    if (this.#state !== 'open') return;
    const { owner } = this;
    this.end(status, message);
    try {
      owner.onCancel(this);
    } catch (error) {
      this.#host.onThrown(this, error);
    }
  }

  /** The client has gone. */
  #cancel(): void {
    if (this.#state === 'over') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'over';
    this.#steps = null;
    this.#reader.stop();
    this.#host.onClosed(this);
    if (!wasOpen) return;
    try {
      this.owner.onCancel(this);
    } catch (error) {
      this.#host.onThrown(this, error);
    }
  }

  /** An owner that throws is in an unknown state; a budget that is used up is the client's to hear of. */
  #fail(error: unknown): void {
    const failure = asServerError(error);
    if (failure.code === 'RESOURCE_EXHAUSTED') {
      this.#giveUp(grpcStatus[failure.code], failure.message);
      return;
    }
    this.#host.onThrown(this, error);
    this.#giveUp(GRPC_INTERNAL, 'the call failed inside the server; its log has the reason');
  }
}

/** What belongs to HTTP/2 and to gRPC itself. */
function isOfTransport(name: string): boolean {
  return name === 'te' || name === 'content-type' || name === 'content-length' || name.startsWith('grpc-');
}

function countBytes(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}
