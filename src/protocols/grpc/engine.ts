import type { Log } from '../../base/log.js';
import type { BodyBudget } from '../body-buffer.js';

/**
 * What the services need of a gRPC server transport, and nothing of inference. Two engines implement it: `conch`, our own HTTP/2
 * transport, and `grpc-js`; `test/protocols/grpc/engine.contract.ts` is run over both.
 *
 * Messages up to WHOLE_MESSAGE_BYTES come whole, because they mostly lie in one socket chunk already and are understood in one
 * step. A longer one may come in pieces, as its bytes arrive: its tensors are copied once, from the chunk into the planes, and
 * nobody puts the message together first. An engine that only has whole messages (grpc-js, or any engine for a compressed one)
 * gives them whole at any length. So an owner must take both forms, and an engine needs no buffer beyond WHOLE_MESSAGE_BYTES a call.
 */
export interface GrpcEngine {
  readonly name: 'conch' | 'grpc-js';
  /** Throws a ServerError that names address and port when they cannot be had. */
  listen(options: GrpcListenOptions, handler: GrpcHandler): Promise<GrpcListener>;
}

/** A longer message may come in pieces. */
export const WHOLE_MESSAGE_BYTES = 64 * 1024;

export interface GrpcListenOptions {
  /** A host name, an IPv4 address, or an IPv6 address without brackets. */
  readonly address: string;
  /** 0 = any free port; the real one is in `GrpcListener.port`. */
  readonly port: number;
  /** SO_REUSEPORT. */
  readonly reusePort: boolean;
  /** Null = plain text. */
  readonly tls: GrpcTls | null;
  /** Any message, also after it is decompressed; over it the call ends with RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** How hard messages are compressed of calls that ask for it. */
  readonly compression: CompressionLevel;
  readonly keepalive: GrpcKeepalive;
  /** What messages that are put together may hold. */
  readonly budget: BodyBudget;
  readonly log: Log;
}

export type CompressionLevel = 'none' | 'low' | 'medium' | 'high';

/** Contents of PEM files. */
export interface GrpcTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities that clients are checked against; null = those of the system. */
  readonly root: Buffer | null;
  /** Clients must show a certificate. */
  readonly mutual: boolean;
}

export interface GrpcKeepalive {
  /** Silence after which a ping is sent. */
  readonly timeMs: number;
  /** A connection whose client has not answered the ping by then is closed. */
  readonly timeoutMs: number;
  /** Also on a connection without calls. */
  readonly withoutCalls: boolean;
  /** From one ping of a client to the next, while it has a call; an earlier one is a strike. 0 = any time. */
  readonly minRecvPingIntervalMs: number;
  /** Strikes that are let pass; 0 = any number. */
  readonly maxPingStrikes: number;
  /** A connection is told to go after this; 0 = never. */
  readonly maxConnectionAgeMs: number;
  /** What its calls get to end after that; 0 = without limit. */
  readonly maxConnectionAgeGraceMs: number;
}

export interface GrpcHandler {
  /** Full paths of all methods, `/package.Service/Method`: any other is answered UNIMPLEMENTED without `onCall`. */
  readonly methods: readonly string[];
  /** The head of a call is complete. Must set `call.owner`, or end the call. Metadata can be read only until it returns. */
  onCall(call: GrpcCall): void;
}

export interface GrpcListener {
  readonly port: number;
  /** Open connections, for the metrics; open calls where the engine does not know of connections (grpc-js). */
  readonly connections: number;
  /** Accepts no more connections, tells clients to open no more calls on those there are; open calls go on. */
  drain(): void;
  /** Resolves when no call is open. Only after `drain`. */
  idle(): Promise<void>;
  /** Cuts what is left; every owner is told. */
  close(): Promise<void>;
}

/**
 * What happens to a call. One object may own many calls, one after another or at a time: each method gets the call. Nothing comes
 * any more after the owner said `reply`, `replyParts` or `end`, nor after `onCancel`; only parts are still released.
 */
export interface GrpcCallOwner {
  /** A whole message; `message` is valid only during the call of this method. */
  onMessage(call: GrpcCall, message: Buffer): void;
  /** A message of `length` bytes, more than WHOLE_MESSAGE_BYTES, comes in pieces: any number of `onPiece`, then `onMessageEnd`. */
  onMessageBegin(call: GrpcCall, length: number): void;
  /** Never empty; valid only during the call of this method. */
  onPiece(call: GrpcCall, piece: Buffer): void;
  onMessageEnd(call: GrpcCall): void;
  /** The client sends no more; it still waits for its answers, unless `onCancel` follows (grpc-js calls this before a reset too). */
  onHalfClose(call: GrpcCall): void;
  /**
   * It is over and nothing can be sent: the client has gone or has cancelled, its deadline has passed (the engine answered
   * DEADLINE_EXCEEDED), the listener was closed, or the engine ended the call for a reason of its own (a message too large).
   */
  onCancel(call: GrpcCall): void;
  /** `isWritable` is true again. Only after it was false. */
  onDrain(call: GrpcCall): void;
}

/** Who holds the memory that parts lie in. */
export interface PartsHolder {
  /** Exactly once for each time it was handed over, sent or not; perhaps before `sendParts` returns. */
  onPartsReleased(): void;
}

/** One call. Objects are not used again: whatever is said to a call that is over is ignored, and its parts are released at once. */
export interface GrpcCall {
  readonly path: string;
  /** When the client stops waiting, monotonic microseconds; 0 = never. The engine ends the call then. */
  readonly deadlineUs: number;
  /** By lower-case name, the first where there are several, '' where absent. Only inside `onCall`. */
  metadata(name: string): string;
  /** Calls back for each entry but those of the transport; `-bin` values are base64 as sent. Only inside `onCall`. */
  eachMetadata(visit: (name: string, value: string) => void): void;

  owner: GrpcCallOwner;
  /**
   * Messages are compressed from now on, with an algorithm that the client accepts and as hard as the listener's options say;
   * plain where it accepts none, the options say none, or the engine cannot (grpc-js).
   */
  compress: boolean;
  /** False = messages wait for the client to read: send no more before `onDrain`. What is sent all the same is kept. */
  readonly isWritable: boolean;

  /** No message comes until `resume`, so that the client is slowed down; the pieces of the one that is coming still do. */
  pause(): void;
  resume(): void;

  /** The only message and the status OK at once: the whole answer of a unary call. `bytes`, whose part it is, may be reused when it returns. */
  reply(bytes: Uint8Array, begin?: number, end?: number): void;
  /** `reply` of a message that lies in several parts, without copying them: they must not change until `holder` is told. */
  replyParts(parts: readonly Uint8Array[], holder: PartsHolder): void;
  /** One of several messages; as `reply`. */
  send(bytes: Uint8Array, begin?: number, end?: number): void;
  /** As `replyParts`, for one of several messages. */
  sendParts(parts: readonly Uint8Array[], holder: PartsHolder): void;
  /** The end of the answer; `message` is any text, '' where the status is OK. */
  end(status: number, message: string): void;
  /**
   * The client does not read: the call is cut off, also after `end`. What waits is not sent and its parts are released; the owner hears no
   * more. grpc-js cannot: it says status and message behind what waits, of which it has a bounded copy.
   */
  cut(status: number, message: string): void;
}
