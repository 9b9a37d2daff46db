/**
 * What the server needs of an implementation of WebSocket (RFC 6455), and nothing of inference. The engines of HTTP implement it
 * (`http/net-socket.ts`, `http/uws-socket.ts`); `test/protocols/ws/engine.contract.ts` is run over both.
 */
export interface SocketHandler {
  readonly limits: SocketLimits;
  /** Somebody asks for a WebSocket. May be asked twice for one request, of which the last answer counts. */
  decide(request: SocketRequest): SocketDecision;
}

export interface SocketLimits {
  /** Of a client's message; over it the connection is closed with 1009. */
  readonly maxMessageBytes: number;
  /** Sent and not taken by the kernel: beyond it a socket is not writable. */
  readonly maxUnsentBytes: number;
}

/** A GET without a body that asks for a WebSocket of version 13 with a key. Readable until `decide` returns. */
export interface SocketRequest {
  /** As sent: not decoded, without the query. */
  readonly path: string;
  /** Behind the question mark; '' = none. */
  readonly query: string;
  /** By lower-case name, '' where absent. Where it came several times: all of it, as one list (RFC 9110, 5.3). */
  header(name: string): string;
}

/** pass: it is answered as a request without an upgrade. refuse: with this answer. accept: it becomes a WebSocket. */
export type SocketDecision =
  | { readonly kind: 'pass' }
  | { readonly kind: 'refuse'; readonly status: number; readonly headers: readonly string[]; readonly body: Uint8Array }
  | {
      readonly kind: 'accept';
      /** The sub-protocol; '' = none. */
      readonly protocol: string;
      /** The connection is there; the result is told of everything on it. */
      open(socket: MessageSocket): SocketOwner;
    };

/** Is told what happens on one connection; its methods do not throw. */
export interface SocketOwner {
  /** A whole message. `message` is valid only during the call. */
  onMessage(message: Buffer, isText: boolean): void;
  /** A ping or pong of the client. */
  onPing(): void;
  /** The kernel has taken something that was unsent. */
  onDrain(): void;
  /** The connection is over, whoever ended it; exactly once, and nothing else comes after it. All parts have been released. */
  onClosed(): void;
}

/** Whose views are on their way. */
export interface PartsHolder {
  /** They were handed to the socket, or never will be. */
  onPartsReleased(): void;
}

/** Instead of the number in front of a binary message: it is a text. */
export const TEXT = -1;

/** One connection. Messages leave in the order of the calls. After `onClosed` nothing has an effect. */
export interface MessageSocket {
  /** False = a client that sends too much cannot be slowed down: uWebSockets 20.30. */
  readonly canPause: boolean;
  /** False = there is too much that the client has not taken, and `onDrain` will follow. What is sent all the same is kept. */
  readonly isWritable: boolean;
  /** What was sent and the kernel has not taken. */
  readonly unsentBytes: number;
  /** `text` may be reused when it returns. */
  sendText(text: Uint8Array): void;
  /** `number` as four bytes, the least significant first, and `bytes`, which may be reused when it returns. */
  sendBinary(number: number, bytes: Uint8Array): void;
  /**
   * Views, which are not copied before the client takes them and must not change until the holder is told; the same `number` in front,
   * or TEXT. Only while it is writable.
   */
  sendParts(number: number, parts: readonly Uint8Array[], holder: PartsHolder): void;
  ping(): void;
  /** No messages any more until `resume`. Only where `canPause`. */
  pause(): void;
  resume(): void;
  /** Says so to the client behind everything that was sent, and ends when it has agreed, or not in time. */
  close(code: number, reason: string): void;
  /** Ends it at once. */
  terminate(): void;
}
