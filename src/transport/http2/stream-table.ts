import type { Stream } from './open-stream.js';

/** Streams that were reset and may still get frames; the oldest are forgotten first. */
const RESETS_MAX = 1024;
/** Runs of stream ids that a client left out; they are closed too (5.1.1), and only one error code tells them apart. */
const GAPS_MAX = 16;

/**
 * What a stream id stands for. `reset`: closed by us, and the client may not have heard of it. `cancelled`: closed by the client in the
 * middle of its request. `skipped`: closed because a later one was used.
 */
export type StreamStanding = 'idle' | 'open' | 'reset' | 'cancelled' | 'skipped' | 'closed';

/** Instead of the bytes that may still come. */
const CANCELLED = Number.NEGATIVE_INFINITY;

/** The streams of a connection by id. Memory for closed ones is bounded: what is not known of an id follows from `lastId`. */
export class StreamTable {
  /** The highest that the client used. */
  lastId = 0;

  readonly #open = new Map<number, Stream>();
  /** By id: bytes that the client may still have sent before it heard of the reset; CANCELLED where it was its own. */
  readonly #resets = new Map<number, number>();
  readonly #gaps: { readonly from: number; readonly to: number }[] = [];

  get size(): number {
    return this.#open.size;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  values(): IterableIterator<Stream> {
    return this.#open.values();
  }

  standing(id: number): StreamStanding {
    if (id > this.lastId || id % 2 === 0) return 'idle';
    if (this.#open.has(id)) return 'open';
    const bytesLeft = this.#resets.get(id);
    if (bytesLeft !== undefined) return bytesLeft === CANCELLED ? 'cancelled' : 'reset';
    return this.#gaps.some(({ from, to }) => id >= from && id <= to) ? 'skipped' : 'closed';
  }

  /** 5.1.1: a new stream closes all idle ones below it. */
  use(id: number): void {
    if (id > this.lastId + 2) this.#gaps.push({ from: this.lastId + 1, to: id - 1 });
    if (this.#gaps.length > GAPS_MAX) this.#gaps.shift();
    this.lastId = id;
  }

  add(stream: Stream): void {
    this.#open.set(stream.id, stream);
  }

  remove(stream: Stream): void {
    this.#open.delete(stream.id);
  }

  /** @param bytesLeft what the client's window for the stream still allowed */
  rememberReset(id: number, bytesLeft: number): void {
    if (this.#resets.size >= RESETS_MAX) this.#resets.delete(this.#resets.keys().next().value!);
    this.#resets.set(id, bytesLeft);
  }

  /** The client gave up a request that it had not sent to its end. */
  rememberCancel(id: number): void {
    this.rememberReset(id, CANCELLED);
  }

  /** Bytes came for a stream that was reset; false = more than was allowed. */
  takeReset(id: number, bytes: number): boolean {
    const left = this.#resets.get(id)! - bytes;
    this.#resets.set(id, left);
    return left >= 0;
  }

  /** The client ended it too: nothing may follow. */
  forgetReset(id: number): void {
    this.#resets.delete(id);
  }
}
