import type { PreparedStreams } from '../encode/prepared-request.js';
import type { Load } from '../load.js';
import type { WireTarget } from '../wires/wire.js';
import type { PostedWindow } from './recorder.js';
import type { SequenceSettings } from './sequence-runs.js';

/** What a generator sends, and where to, for all of its life. */
export interface Material {
  readonly target: WireTarget;
  readonly streams: PreparedStreams;
  /** null = the model has none. */
  readonly sequences: SequenceSettings | null;
}

/** What was posted, usable again: a Buffer arrives as a Uint8Array. */
export function revived({ streams, ...rest }: Material): Material {
  return {
    ...rest,
    streams: streams.map((steps) =>
      steps.map(({ requests, expected }) => ({
        requests: Object.fromEntries(Object.entries(requests).map(([place, request]) => [place, withBuffer(request)])),
        expected: expected?.map(withBuffer) ?? null,
      })),
    ),
  };
}

function withBuffer<T extends { readonly bytes: Uint8Array }>(item: T): T & { readonly bytes: Buffer } {
  const { buffer, byteOffset, byteLength } = item.bytes;
  return { ...item, bytes: Buffer.from(buffer, byteOffset, byteLength) };
}

/** Which part of every load is a driver's: the `nth` of `of`. */
export interface Part {
  readonly nth: number;
  readonly of: number;
}

/** What a thread is started with. */
export interface ThreadOrder {
  readonly material: Material;
  readonly part: Part;
  /** Its part of the answers so far: all of them, the good ones. */
  readonly answered: SharedArrayBuffer;
}

export type ThreadCommand =
  | { readonly kind: 'provide'; readonly load: Load }
  /** `beginMs`: when an open load begins, on the clock that `performance.timeOrigin + performance.now()` gives; `limit` 0 = none. */
  | { readonly kind: 'begin'; readonly load: Load; readonly beginMs: number; readonly limit: number }
  | { readonly kind: 'take' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'close' };

/** `provided`, `window` and `refused` answer a command, in their order. */
export type ThreadEvent =
  | { readonly kind: 'provided' }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'window'; readonly window: PostedWindow }
  /** All that a limit, or the arrivals, allow is answered. */
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'broken'; readonly message: string };
