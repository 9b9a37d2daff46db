import type { PreparedRequest } from '../encode/prepared-request.js';

export type WireProtocol = 'http' | 'grpc' | 'grpc-stream' | 'ws';

/** Where requests go, and how. All of it can be posted to a thread. */
export interface WireTarget {
  readonly protocol: WireProtocol;
  readonly host: string;
  readonly port: number;
  /** null = plain TCP. PEM texts; '' = the system's, none. */
  readonly tls: TlsSettings | null;
  /** Names in lower case; added to each request (HTTP), call (gRPC) or upgrade (WebSocket). */
  readonly headers: readonly (readonly [string, string])[];
  /** Of the request: HTTP and WebSocket, `/v2/models/NAME[/versions/N]/infer`; gRPC takes no notice. */
  readonly path: string;
  /** Requests that may be in flight on one connection; 1 for HTTP. */
  readonly slots: number;
  /** After so long without an answer a request counts as failed, and its connection is made anew. */
  readonly timeoutMs: number;
  /** Each request is answered any number of times (`triton_final_response`). */
  readonly isDecoupled: boolean;
}

export interface TlsSettings {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly verifiesPeer: boolean;
  readonly verifiesHost: boolean;
}

/** A connection that carries up to `WireTarget.slots` requests. */
export interface Wire {
  /**
   * Resolves when requests can be sent; rejects with an error that names host, port and reason. May be called again after `onClosed`, and
   * after it rejected.
   */
  open(): Promise<void>;
  /**
   * Sends a request in a slot that carries none. What is sent within one turn of the event loop may go out with its end. Where there is no
   * connection (any more), it waits for the next `open`; so does what is sent while the requests of a connection fail, before `onClosed`.
   * @param sequenceId for the place that the request has for it; 0 = it has none
   */
  send(slot: number, request: PreparedRequest, sequenceId: number): void;
  /** Ends the connection; the user hears nothing any more. */
  close(): void;
}

/** Why a request failed; what came instead of a good answer is in words. One kind for each row of a report. */
export interface Failure {
  /** Such as `HTTP 503`, `gRPC UNAVAILABLE`, `connection reset`, `timeout`, `wrong output`. */
  readonly kind: string;
  /** The server's text, or that of the system. */
  readonly message: string;
}

/** One answer, valid during the call. */
export interface Answer {
  /** No further one comes to this request. */
  isFinal: boolean;
  /** A message that only says that nothing more comes: no answer of the model's. */
  isEmpty: boolean;
  /** null = it is a good one. */
  failure: Failure | null;
  /** When its first byte was read, in the milliseconds of `performance.now()`. */
  firstByteMs: number;
  /** `bytes[start, end)`: the body over HTTP, the ModelInferResponse over gRPC, over WebSocket the same as over HTTP. */
  bytes: Buffer;
  start: number;
  end: number;
  /** HTTP and WebSocket: bytes of JSON before the tensors, from `start` on; -1 = all of it is JSON. */
  jsonBytes: number;
}

/** The owner of a wire. */
export interface WireUser {
  /** Exactly one final answer comes to each request, also where the connection fails: then one with a failure. It may send in the call. */
  onAnswer(slot: number, answer: Answer): void;
  /** The connection is gone, after each of its requests had its final answer. `close` was not called. */
  onClosed(failure: Failure): void;
}
