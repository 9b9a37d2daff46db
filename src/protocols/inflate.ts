import type { gunzip } from 'node:zlib';

/** What `info: true` gives; it is not in the types. */
interface Inflated {
  readonly buffer: Buffer;
  /** Of what was to be inflated. */
  readonly engine: { readonly bytesWritten: number };
}

/**
 * Inflates all of `bytes` outside the main thread. They are copied at once. The error has code ERR_BUFFER_TOO_LARGE for more than `limit`
 * bytes; what follows the end of a zlib stream, which zlib itself leaves alone, is an error too.
 */
export function inflateAll(
  run: typeof gunzip,
  bytes: Uint8Array,
  limit: number,
  done: (error: NodeJS.ErrnoException | null, plain: Buffer) => void,
): void {
  const all = Buffer.from(bytes);
  run(all, { maxOutputLength: limit, info: true }, (error, result) => {
    if (error !== null) {
      done(error, result);
      return;
    }
    const { buffer, engine } = result as unknown as Inflated;
    const rest = all.length - engine.bytesWritten;
    done(rest === 0 ? null : new Error(`${rest} bytes follow the end of the compressed data`), buffer);
  });
}
