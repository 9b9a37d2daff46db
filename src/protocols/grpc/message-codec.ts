import { constants, deflate, gunzip, gzip, inflate } from 'node:zlib';
import { inflateAll } from '../inflate.js';
import type { CompressionLevel } from './engine.js';

/** Message encodings that we know; `deflate` is the zlib container (gRPC over HTTP/2, "Message-Encoding"). */
export type Algorithm = 'identity' | 'gzip' | 'deflate';

const levels: Readonly<Record<Exclude<CompressionLevel, 'none'>, number>> = {
  low: constants.Z_BEST_SPEED,
  medium: constants.Z_DEFAULT_COMPRESSION,
  high: constants.Z_BEST_COMPRESSION,
};

export function isAlgorithm(name: string): name is Algorithm {
  return name === 'identity' || name === 'gzip' || name === 'deflate';
}

/** What answers are compressed with: of those that the client accepts the one it names first; identity where it accepts neither. */
export function chooseAlgorithm(accepted: string, level: CompressionLevel): Algorithm {
  if (level === 'none' || accepted === '') return 'identity';
  const names = accepted.split(',').map((name) => name.trim());
  return names.find((name): name is Algorithm => name === 'gzip' || name === 'deflate') ?? 'identity';
}

/** Off the main thread. Null = it is longer than `maxBytes`, or it is not what it is said to be: `error` tells which. */
export function inflateMessage(
  algorithm: Algorithm,
  message: Buffer,
  maxBytes: number,
  done: (error: 'too-large' | 'broken' | null, plain: Buffer) => void,
): void {
  const run = algorithm === 'gzip' ? gunzip : inflate;
  // An empty text is no stream of either format.
  if (message.length === 0) {
    done(null, message);
    return;
  }
  const copy = Buffer.from(message);
  inflateAll(
    run,
    () => copy,
    Math.max(1, maxBytes),
    (error, plain) => {
      if (error === null) done(null, plain);
      else done(error.code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'broken', Buffer.alloc(0));
    },
  );
}

/** Off the main thread; null = it could not be done. */
export function deflateMessage(
  algorithm: Algorithm,
  message: Buffer,
  level: CompressionLevel,
  done: (compressed: Buffer | null) => void,
): void {
  const run = algorithm === 'gzip' ? gzip : deflate;
  const options = { level: level === 'none' ? constants.Z_NO_COMPRESSION : levels[level] };
  run(message, options, (error, compressed) => done(error === null ? compressed : null));
}
