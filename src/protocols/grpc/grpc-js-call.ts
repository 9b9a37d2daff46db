import type { Metadata, ServerDuplexStream } from '@grpc/grpc-js';
import { monotonicUs } from '../../base/clock.js';
import { GRPC_INTERNAL, GRPC_OK } from '../status.js';
import type { GrpcCall, GrpcCallOwner, PartsHolder } from './engine.js';
import { nobody } from './nobody.js';

/** Bytes that may wait for the client before the call is not writable. */
const WAITING_BYTES_MAX = 64 * 1024;

export type BytesStream = ServerDuplexStream<Buffer, Buffer>;

/** What a call needs of its listener. */
export interface CallHost {
  /** It is over; exactly once. */
  onClosed(call: GrpcJsCall): void;
  /** An owner threw. */
  onThrown(call: GrpcJsCall, error: unknown): void;
}

/** open. ended: the owner said so, and hears no more. over: the stream is done as well. */
type CallState = 'open' | 'ended' | 'over';

/** A call of grpc-js, which knows whole messages only. Every method is registered as one of two streams, unary ones too. */
export class GrpcJsCall implements GrpcCall {
  readonly path: string;
  readonly deadlineUs: number;
  owner: GrpcCallOwner = nobody;
  /** grpc-js cannot compress what a server sends. */
  compress = false;
  readonly #host: CallHost;
  readonly #stream: BytesStream;
  readonly #metadata: Metadata;
  #state: CallState = 'open';
  #waitingBytes = 0;
  #mustDrain = false;

  constructor(host: CallHost, stream: BytesStream) {
    this.path = stream.getPath();
    this.deadlineUs = monotonicDeadline(stream.getDeadline());
    this.#host = host;
    this.#stream = stream;
    this.#metadata = stream.metadata;
    stream.on('cancelled', () => this.#cancel());
    stream.on('close', () => this.#cancel());
  }

  /** Messages come from now on. */
  begin(): void {
    this.#stream.on('data', (message: Buffer) => this.#tell(() => this.owner.onMessage(this, message)));
    this.#stream.on('end', () => this.#tell(() => this.owner.onHalfClose(this)));
  }

  metadata(name: string): string {
    const value = this.#metadata.get(name)[0];
    if (value === undefined) return '';
    return typeof value === 'string' ? value : value.toString('base64');
  }

  eachMetadata(visit: (name: string, value: string) => void): void {
    for (const name of Object.keys(this.#metadata.getMap())) {
      for (const value of this.#metadata.get(name)) {
        visit(name, typeof value === 'string' ? value : value.toString('base64'));
      }
    }
  }

  get isWritable(): boolean {
    return !this.#mustDrain;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  reply(bytes: Uint8Array, begin?: number, end?: number): void {
    this.send(bytes, begin, end);
    this.end(GRPC_OK, '');
  }

  replyParts(parts: readonly Uint8Array[], holder: PartsHolder): void {
    this.sendParts(parts, holder);
    this.end(GRPC_OK, '');
  }

  send(bytes: Uint8Array, begin?: number, end?: number): void {
    if (this.#state === 'open') this.#write(Buffer.from(bytes.subarray(begin, end)));
  }

  /** Copies them, since grpc-js would: the holder is told at once. */
  sendParts(parts: readonly Uint8Array[], holder: PartsHolder): void {
    if (this.#state === 'open') this.#write(Buffer.concat(parts));
    holder.onPartsReleased();
  }

  end(status: number, message: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    // What the client still sends is of no interest, and must not keep the stream from ending.
    this.#stream.resume();
    if (status === GRPC_OK) this.#stream.end();
    else this.#stream.emit('error', Object.assign(new Error(message), { code: status, details: message }));
  }

  cut(status: number, message: string): void {
    this.end(status, message);
  }

  #write(message: Buffer): void {
    const { length } = message;
    this.#waitingBytes += length;
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#mustDrain = true;
    this.#stream.write(message, () => this.#written(length));
  }

  #written(length: number): void {
    this.#waitingBytes -= length;
    if (!this.#mustDrain || this.#waitingBytes > 0) return;
    this.#mustDrain = false;
    this.#tell(() => this.owner.onDrain(this));
  }

  /** Comes at the end of every call, whoever ended it. */
  #cancel(): void {
    if (this.#state === 'over') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'over';
    this.#host.onClosed(this);
    if (wasOpen) this.#guard(() => this.owner.onCancel(this));
  }

  #tell(event: () => void): void {
    if (this.#state === 'open') this.#guard(event);
  }

  #guard(event: () => void): void {
    try {
      event();
    } catch (error) {
      this.#host.onThrown(this, error);
      this.#failed();
    }
  }

  /** The owner is in an unknown state: it is told that the call is over, and the client that it went wrong. */
  #failed(): void {
    if (this.#state !== 'open') return;
    const { owner } = this;
    this.end(GRPC_INTERNAL, 'the call failed inside the server; its log has the reason');
    try {
      owner.onCancel(this);
    } catch (error) {
      this.#host.onThrown(this, error);
    }
  }
}

/** grpc-js has a wall-clock time, or Infinity. */
function monotonicDeadline(deadline: Date | number): number {
  const atMs = Number(deadline);
  return Number.isFinite(atMs) ? monotonicUs() + (atMs - Date.now()) * 1000 : 0;
}
