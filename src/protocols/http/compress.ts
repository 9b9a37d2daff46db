import { deflate, gzip, unzip } from 'node:zlib';
import { invalid, type ServerError } from '../../types/errors.js';
import { inflateAll } from '../inflate.js';
import { UnsupportedEncoding } from './encoding.js';

/** Throws where `decompress` cannot undo this Content-Encoding: before the body has come. */
export function checkEncoding(encoding: string): void {
  if (encoding !== 'gzip' && encoding !== 'deflate') throw new UnsupportedEncoding();
}

/**
 * Undoes a request's Content-Encoding outside the main thread. `deflate` is the zlib container; which of the two it really is,
 * the bytes tell (fact sheet 1.2). `limit` bounds the result in bytes.
 * @param bodyOf when its turn comes; null = nobody waits for it any more
 */
export function decompress(
  bodyOf: () => Buffer | null,
  limit: number,
  done: (error: ServerError | null, bytes: Buffer) => void,
): void {
  inflateAll(unzip, bodyOf, limit, (error, bytes) => {
    done(error === null ? null : decompressionError(error, limit), bytes);
  });
}

/** Compresses an answer; where that fails it is sent plain: `done` gets the bytes it was given. */
export function compress(encoding: 'gzip' | 'deflate', bytes: Buffer, done: (bytes: Buffer) => void): void {
  const run = encoding === 'gzip' ? gzip : deflate;
  run(bytes, (error, compressed) => done(error === null ? compressed : bytes));
}

function decompressionError(error: NodeJS.ErrnoException, limit: number): ServerError {
  if (error.code === 'ERR_BUFFER_TOO_LARGE') {
    return invalid(
      `Decompressed data size exceeds the maximum allowed value of ${limit} bytes. Use --http-max-input-size to increase the limit.`,
    );
  }
  return invalid(`the compressed request body cannot be read: ${error.message}`);
}
