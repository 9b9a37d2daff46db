import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { Backlog } from './backlog.js';
import { WHOLE_MESSAGE_BYTES } from './engine.js';

/** Compressed-Flag and Message-Length of a Length-Prefixed-Message. */
export const PREFIX_BYTES = 5;

/** Who takes the messages of one call. Each method may hold the reader, or stop it. */
export interface MessageSink {
  /** Valid only during the call. */
  onMessage(message: Buffer): void;
  onMessageBegin(length: number): void;
  onPiece(piece: Buffer): void;
  onMessageEnd(): void;
  /** A message as it came, to be inflated. Valid only during the call. */
  onCompressed(message: Buffer): void;
  /** So many bytes of what was fed have been taken. */
  onTaken(bytes: number): void;
  /** A message of `length` bytes was announced, which is over the limit; the reader is to be stopped. */
  onTooLarge(length: number): void;
  /** A message begins with what is neither 0 nor 1: nobody knows what follows; the reader is to be stopped. */
  onBadFlag(flag: number): void;
  /** The client has said all, at the end of a message, or within one. */
  onHalfClose(isComplete: boolean): void;
}

/** prefix: its five bytes come. message: a short or a compressed one is put together. pieces: a long one is handed on. */
type ReaderState = 'prefix' | 'message' | 'pieces';

/**
 * Takes the body of a call apart into messages (gRPC over HTTP/2, "Length-Prefixed-Message"). What is announced takes no memory: only what
 * has come does, within the budget. While it is held, what comes is kept, and the sink is not told of it as taken.
 */
export class MessageReader {
  readonly #sink: MessageSink;
  readonly #maxBytes: number;
  readonly #budget: BodyBudget;
  /** Of a message that does not come in one piece; null = there was none. */
  #body: BodyBuffer | null = null;
  #state: ReaderState = 'prefix';
  #prefix = 0;
  /** Compressed-Flag. */
  #flag = 0;
  #length = 0;
  /** Bytes of the message that are still to come. */
  #left = 0;
  #isHeld = false;
  #isStopped = false;
  /** What came while it was held; null = nothing ever did. */
  #backlog: Backlog | null = null;
  #isReleasing = false;
  #hasEnded = false;

  constructor(sink: MessageSink, maxBytes: number, budget: BodyBudget) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** Between two messages: nothing is owed. */
  get isBetween(): boolean {
    return this.#state === 'prefix' && this.#prefix === 0;
  }

  /** Throws RESOURCE_EXHAUSTED where the budget is used up. `bytes` is valid only during the call. */
  feed(bytes: Buffer, start: number, end: number): void {
    if (this.#isStopped) {
      this.#sink.onTaken(end - start);
      return;
    }
    if (this.#mustWait() || this.#backlogLength() > 0) this.#keep(bytes, start, end);
    else this.#read(bytes, start, end);
  }

  /** The client sends no more. */
  end(): void {
    this.#hasEnded = true;
    this.#tellEnd();
  }

  /** No message is begun until `release`; pieces of one that comes in pieces still are. */
  hold(): void {
    this.#isHeld = true;
  }

  /** As `feed`, of what was kept. Where it is called by what the sink does with that, it goes on there. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (this.#isReleasing) return;
    this.#isReleasing = true;
    try {
      this.#readBacklog();
    } finally {
      this.#isReleasing = false;
    }
    this.#tellEnd();
  }

  /** Nothing is of interest any more: what was kept is given back, what comes is taken at once. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const kept = this.#backlogLength();
    if (kept > 0) this.#sink.onTaken(kept);
    this.#backlog?.clear();
    this.#body?.clear();
  }

  #tellEnd(): void {
    if (!this.#hasEnded || this.#isHeld || this.#isStopped || this.#backlogLength() > 0) return;
    this.#hasEnded = false;
    this.#sink.onHalfClose(this.isBetween);
  }

  #mustWait(): boolean {
    return this.#isHeld && this.#state !== 'pieces';
  }

  #backlogLength(): number {
    return this.#backlog === null ? 0 : this.#backlog.length;
  }

  #read(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#isStopped && !this.#mustWait()) at = this.#readSome(bytes, at, end);
    const taken = this.#isStopped ? end : at;
    if (taken > start) this.#sink.onTaken(taken - start);
    if (taken < end) this.#keep(bytes, taken, end);
  }

  /** Step by step, because any of them may hold the reader, stop it, or throw: what is left stays where it is. */
  #readBacklog(): void {
    while (this.#backlogLength() > 0 && !this.#mustWait()) {
      const bytes = this.#backlog!.first;
      const at = this.#readSome(bytes, 0, bytes.length);
      if (this.#isStopped) return;
      this.#backlog!.drop(at);
      this.#sink.onTaken(at);
    }
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#backlog ??= new Backlog(this.#budget);
    this.#backlog.push(bytes, start, end);
  }

  /** Where it has come to. */
  #readSome(bytes: Buffer, at: number, end: number): number {
    if (this.#state === 'prefix') return this.#readPrefix(bytes, at, end);
    return this.#state === 'message' ? this.#readMessage(bytes, at, end) : this.#readPiece(bytes, at, end);
  }

  #readPrefix(bytes: Buffer, begin: number, end: number): number {
    if (this.#prefix === 0 && end - begin >= PREFIX_BYTES) {
      this.#flag = bytes[begin]!;
      this.#length = bytes.readUInt32BE(begin + 1);
      return this.#beginMessage(bytes, begin + PREFIX_BYTES, end);
    }
    let at = begin;
    for (; at < end && this.#prefix < PREFIX_BYTES; at++) {
      const byte = bytes[at]!;
      if (this.#prefix === 0) {
        this.#flag = byte;
        this.#length = 0;
      } else {
        this.#length = this.#length * 256 + byte;
      }
      this.#prefix++;
    }
    if (this.#prefix < PREFIX_BYTES) return at;
    this.#prefix = 0;
    return this.#beginMessage(bytes, at, end);
  }

  #beginMessage(bytes: Buffer, at: number, end: number): number {
    const length = this.#length;
    if (this.#flag > 1) {
      this.#sink.onBadFlag(this.#flag);
      return at;
    }
    if (length > this.#maxBytes) {
      this.#sink.onTooLarge(length);
      return at;
    }
    if (length <= end - at && (length <= WHOLE_MESSAGE_BYTES || this.#isCompressed())) {
      this.#deliver(bytes.subarray(at, at + length));
      return at + length;
    }
    this.#left = length;
    this.#state = length > WHOLE_MESSAGE_BYTES && !this.#isCompressed() ? 'pieces' : 'message';
    if (this.#state === 'pieces') this.#sink.onMessageBegin(length);
    return at;
  }

  #readMessage(bytes: Buffer, at: number, end: number): number {
    const part = Math.min(this.#left, end - at);
    this.#body ??= new BodyBuffer(this.#budget);
    this.#body.append(bytes.subarray(at, at + part));
    this.#left -= part;
    if (this.#left > 0) return at + part;
    this.#state = 'prefix';
    this.#deliver(this.#body.view);
    this.#body.clear();
    return at + part;
  }

  #readPiece(bytes: Buffer, at: number, end: number): number {
    const part = Math.min(this.#left, end - at);
    this.#sink.onPiece(bytes.subarray(at, at + part));
    this.#left -= part;
    if (this.#left === 0) {
      this.#state = 'prefix';
      if (!this.#isStopped) this.#sink.onMessageEnd();
    }
    return at + part;
  }

  #isCompressed(): boolean {
    return this.#flag !== 0;
  }

  #deliver(message: Buffer): void {
    if (this.#isCompressed()) this.#sink.onCompressed(message);
    else this.#sink.onMessage(message);
  }
}
