import type { Socket } from 'node:net';
import { monotonicUs } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { receive } from '../receive.js';
import type { BufferPool } from './buffer-pool.js';
import { Connection, type ConnectionHost } from './connection.js';
import { type ConnectionView, watchConnection } from './connection-watch.js';
import type { ListenOptions } from './options.js';
import type { OutputBatch } from './output.js';
import type { OnStream } from './stream.js';
import { watchStream } from './stream-watch.js';
import { ErrorCode } from './wire.js';

/** How long a client may take to close when the kernel has our last words, before its connection is cut. */
const LINGER_MS = 1000;

/** Of `maxAgeMs`. */
const AGE_SPREAD = 0.1;

/** What all connections of a listener share. */
export interface SocketHost {
  readonly options: ListenOptions;
  readonly onStream: OnStream;
  readonly pool: BufferPool;
  /** What all connections are read into: what came is taken before the next one is read. */
  readonly readBuffer: Buffer;
  /** Moves by ticks: good enough for time-outs, and free. */
  readonly nowMs: number;
  /** Has the connection work when the running callback is done. */
  workSoon(connection: SocketConnection): void;
}

/**
 * A connection on its socket: reads, writes once per turn of the event loop, and keeps time. It stops reading only while the
 * kernel does not take what we write, never for a closed window: what opens windows comes on this socket.
 */
export class SocketConnection implements ConnectionHost {
  readonly onStream: OnStream;
  readonly socket: Socket;
  readonly #host: SocketHost;
  readonly #log: Log;
  readonly #connection: Connection;
  readonly #onWritten = () => this.#written();

  /** `receive` writes when it is done. */
  #isReceiving = false;
  #isScheduled = false;
  #isPaused = false;
  #isEnding = false;
  #isLost = false;

  readonly #openedMs: number;
  readonly #bornMs: number;
  #receivedMs: number;
  #writtenMs: number;
  #idleSinceMs: number;
  #drainingSinceMs = 0;
  #awaitingSinceMs = -1;
  #framesSeen = 0;
  #pingedMs = -1;

  /** @param accepted paused, or of TLS; `socket` is to be used instead of it */
  constructor(accepted: Socket, host: SocketHost) {
    this.#host = host;
    this.#log = host.options.log;
    this.onStream = host.onStream;
    this.#openedMs = host.nowMs;
    this.#bornMs = host.nowMs - Math.random() * AGE_SPREAD * host.options.timeouts.maxAgeMs;
    this.#receivedMs = host.nowMs;
    this.#writtenMs = host.nowMs;
    this.#idleSinceMs = host.nowMs;
    this.#connection = new Connection(host.options.limits, host.pool, this);
    const socket = receive(accepted, host.readBuffer, (bytes, end) => this.#receive(bytes, end));
    this.socket = socket;
    // What went wrong is of no interest: 'close' follows.
    socket.on('error', () => {});
    socket.once('close', () => this.#lost());
  }

  onOutput(): void {
    if (this.#isReceiving || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#host.workSoon(this);
  }

  onViolation(message: string): void {
    this.#log.verbose(1, `HTTP/2 client ${this.socket.remoteAddress}: ${message}`);
  }

  readMs(): number {
    return monotonicUs() / 1000;
  }

  /** Writes what there is to say, in one go. */
  work(): void {
    this.#isScheduled = false;
    if (this.#isEnding || this.#isLost) return;
    const batch = this.#connection.takeOutput();
    if (batch !== null) this.#write(batch);
    if (this.#connection.isFinished) this.#end();
  }

  drain(): void {
    this.#drainingSinceMs = this.#host.nowMs;
    this.#connection.drain();
  }

  /** Some time went by. */
  tick(seconds: number): void {
    const { nowMs, options } = this.#host;
    this.#connection.tick(seconds);
    if (this.#connection.streamCount > 0) this.#idleSinceMs = nowMs;
    if (this.#connection.waitingBytes === 0) this.#writtenMs = nowMs;
    this.#noteProgress(nowMs);
    this.#watch(watchConnection(this.#view(), nowMs, options.timeouts));
    this.#watchStreams(nowMs);
  }

  #receive(bytes: Buffer, end: number): void {
    this.#receivedMs = this.#host.nowMs;
    this.#pingedMs = -1;
    if (this.#isEnding) return;
    this.#isReceiving = true;
    try {
      this.#connection.receive(end === bytes.length ? bytes : bytes.subarray(0, end));
    } catch (error) {
      this.#fail(error);
    }
    this.#isReceiving = false;
    this.work();
  }

  /** A stream handler threw: nobody knows how far it came, so its connection ends, and no other. */
  #fail(error: unknown): void {
    this.#log.error(`HTTP/2 stream handler failed: ${error instanceof Error ? error.stack : String(error)}`);
    this.#connection.close(ErrorCode.INTERNAL_ERROR, 'the server failed');
  }

  #write(batch: OutputBatch): void {
    const { segments } = batch;
    const last = segments.length - 1;
    if (last > 0) {
      this.socket.cork();
      for (let index = 0; index < last; index++) this.socket.write(segments[index]!);
    }
    this.socket.write(segments[last]!, this.#onWritten);
    if (last > 0) this.socket.uncork();
    // A client that does not take its answers is not read any further: what it asks for would only pile up.
    if (!this.#isPaused && !this.#connection.isSocketFree) {
      this.#isPaused = true;
      this.socket.pause();
    }
  }

  /** Called for each batch in its order; `#lost` settles those that never left. */
  #written(): void {
    if (this.#isLost) return;
    this.#writtenMs = this.#host.nowMs;
    try {
      this.#connection.settleOutput();
    } catch (error) {
      this.#fail(error);
    }
    if (!this.#isPaused || !this.#connection.isSocketFree) return;
    this.#isPaused = false;
    this.socket.resume();
  }

  #lost(): void {
    this.#isLost = true;
    this.#connection.lost();
  }

  /** Our last words are written. What still comes is read and dropped: unread bytes would make the kernel cut the rest. */
  #end(): void {
    this.#isEnding = true;
    this.socket.end(() => {
      const timer = setTimeout(() => this.socket.destroy(), LINGER_MS);
      this.socket.once('close', () => clearTimeout(timer));
    });
  }

  #view(): ConnectionView {
    const { isEstablished, streamCount, waitingBytes, state } = this.#connection;
    return {
      isEstablished,
      streamCount,
      waitingBytes,
      isDraining: state === 'draining',
      isGoing: state === 'draining' || state === 'closing',
      openedMs: this.#openedMs,
      bornMs: this.#bornMs,
      receivedMs: this.#receivedMs,
      idleSinceMs: this.#idleSinceMs,
      writtenMs: this.#writtenMs,
      drainingSinceMs: this.#drainingSinceMs,
      awaitingSinceMs: this.#awaitingSinceMs,
      pingedMs: this.#pingedMs,
    };
  }

  /** A busy connection is always in the middle of something: it is only slow where that stays the same. */
  #noteProgress(nowMs: number): void {
    const { isAwaitingRest, frameCount } = this.#connection;
    if (!isAwaitingRest) this.#awaitingSinceMs = -1;
    else if (this.#awaitingSinceMs < 0 || frameCount !== this.#framesSeen) this.#awaitingSinceMs = nowMs;
    this.#framesSeen = frameCount;
  }

  #watch(verdict: ReturnType<typeof watchConnection>): void {
    const { timeouts } = this.#host.options;
    switch (verdict) {
      case 'no handshake':
        this.#connection.close(ErrorCode.SETTINGS_TIMEOUT, `no HTTP/2 handshake in ${timeouts.handshakeMs} ms`);
        break;
      case 'slow head':
        this.#connection.close(ErrorCode.ENHANCE_YOUR_CALM, `a frame or field section took over ${timeouts.headMs} ms`);
        break;
      case 'ping':
        this.#pingedMs = this.#host.nowMs;
        this.#connection.ping();
        break;
      case 'too old':
        this.drain();
        break;
      case 'grace is over':
        this.#connection.close(ErrorCode.NO_ERROR, `the connection is older than ${timeouts.maxAgeMs} ms`);
        break;
      case 'idle':
      case 'drained long enough':
        this.#connection.drainNow();
        break;
      case 'no answer':
      case 'does not read':
        this.onViolation(verdict);
        this.socket.destroy();
    }
  }

  #watchStreams(nowMs: number): void {
    const { timeouts } = this.#host.options;
    const circumstances = {
      canReceive: this.#connection.receivableBytes > 0,
      canSend: this.#connection.isSocketFree,
    };
    for (const stream of [...this.#connection.streams()]) {
      const reason = watchStream(stream, nowMs, timeouts, circumstances);
      if (reason !== null) this.#connection.giveUp(stream, reason);
    }
  }
}
