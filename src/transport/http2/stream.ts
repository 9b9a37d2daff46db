import type { HeaderBlock } from './hpack/encoder.js';
import type { StreamState } from './stream-state.js';

/**
 * One request and its answer. The object is never used again for another stream, so whoever still holds it when the stream is
 * closed does no harm: every call on a closed stream is ignored (views are released).
 *
 * The order of an answer: `respond` once, `write`/`writeView` any number of times, `end` once. `end` alone is an answer of one
 * field section. An answer that ends before the request did stops the request: the client is told by RST_STREAM with NO_ERROR
 * (RFC 9113, 8.1), and no more of the request is handed on.
 */
export interface Http2Stream {
  readonly id: number;
  readonly state: StreamState;
  /** Bytes written that wait for a window or for the socket. */
  readonly queuedBytes: number;
  /**
   * The client owes more of its body now: no progress for `bodyTimeoutMs` resets the stream. True from the start; set it to false
   * where the client may take its time, between the messages of a call say.
   */
  awaitsBody: boolean;

  respond(fields: HeaderBlock): void;
  /** Copies `bytes[start, end)`. False = some of it waits: write no more before `onDrain`. */
  write(bytes: Uint8Array, start?: number, end?: number): boolean;
  /** Keeps `bytes` by reference, unchanged, until `owner.release` is called, once, sooner or later and however the stream ends. */
  writeView(bytes: Uint8Array, owner: ViewOwner): boolean;
  /** `trailers`, or null for an answer without. What was written still goes out before. */
  end(trailers: HeaderBlock | null): void;
  /** Gives up both directions now. `onReset` is not called. */
  reset(code: number): void;

  /**
   * Lets the client send so many bytes more. Bytes handed to `onData` count against the windows of the stream and of the
   * connection until they are consumed; not consuming slows this client down and nobody else. A stream that closes consumes the rest.
   */
  consume(bytes: number): void;
}

export interface ViewOwner {
  release(): void;
}

/**
 * The owner of a stream above the transport. One object may serve any number of streams: each call says which it means.
 * Calls may answer, end or reset the stream at once.
 */
export interface StreamHandler {
  /** Some bytes of the body: `bytes[start, end)`, never empty, valid only during the call. */
  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number): void;
  /** The request is complete, its content-length kept. Trailers are valid only during the call; null = there were none. */
  onEnd(stream: Http2Stream, trailers: RequestFields | null): void;
  /**
   * The stream died before all of its answer was on its way: reset by the client or for what the client did, or the connection is
   * lost. Nothing comes after it.
   */
  onReset(stream: Http2Stream, code: number): void;
  /** All that was queued is on its way. Only after a write that said false. */
  onDrain(stream: Http2Stream): void;
}

/** The field section of a request, or its trailers; valid only during the call that hands it over. Nothing is made until asked for. */
export interface RequestFields {
  readonly method: string;
  readonly scheme: string;
  readonly path: string;
  /** '' = none. */
  readonly authority: string;
  /** -1 = not declared. */
  readonly contentLength: number;
  /** Fields but the pseudo-headers. */
  readonly length: number;
  nameAt(index: number): string;
  /** Octets as latin1. */
  valueAt(index: number): string;
  /** The first field of that lower-case name. */
  get(name: string): string | undefined;
}

/** Told of each well-formed request; answers who takes it. `onEnd` follows at once where the request has no body. */
export type OnStream = (stream: Http2Stream, request: RequestFields) => StreamHandler;
