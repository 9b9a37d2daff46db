import type { gunzip } from 'node:zlib';
import { Fifo } from '../base/fifo.js';

/** What `info: true` gives; it is not in the types. */
interface Inflated {
  readonly buffer: Buffer;
  /** Of what was to be inflated. */
  readonly engine: { readonly bytesWritten: number };
}

type Done = (error: NodeJS.ErrnoException | null, plain: Buffer) => void;

/** As many as zlib has threads. It would begin with any number, and some kilobytes of each may become all that is allowed. */
const AT_A_TIME = 4;

/** For the whole process, as the threads of zlib are. */
let running = 0;
const waiting = new Fifo<() => void>();

/**
 * Inflates all of what `bytesOf` gives, outside the main thread and a few at a time. It is asked when its turn comes, perhaps later, and
 * makes a copy then; null = nobody waits for it any more: `done` is not called. The error has code ERR_BUFFER_TOO_LARGE for more than
 * `limit` bytes; what follows the end of a zlib stream, which zlib itself leaves alone, is an error too.
 */
export function inflateAll(run: typeof gunzip, bytesOf: () => Uint8Array | null, limit: number, done: Done): void {
  waiting.push(() => begin(run, bytesOf(), limit, done));
  beginNext();
}

function beginNext(): void {
  while (running < AT_A_TIME && waiting.length > 0) waiting.shift()();
}

function begin(run: typeof gunzip, bytes: Uint8Array | null, limit: number, done: Done): void {
  if (bytes === null) return;
  const all = Buffer.from(bytes);
  running++;
  run(all, { maxOutputLength: limit, info: true }, (error, result) => {
    running--;
    beginNext();
    if (error !== null) {
      done(error, result);
      return;
    }
    const { buffer, engine } = result as unknown as Inflated;
    const rest = all.length - engine.bytesWritten;
    done(rest === 0 ? null : new Error(`${rest} bytes follow the end of the compressed data`), buffer);
  });
}
