#!/usr/bin/env node
import { readTrtserverLine, type TrtserverLine, trtserverUsage } from './config/trtserver-line.js';
import { asServerError } from './types/errors.js';

const line = read(process.argv.slice(2));
if (line === null) process.exitCode = 1;
else {
  for (const note of line.notes) process.stderr.write(`${note}\n`);
  process.argv.splice(2, Number.POSITIVE_INFINITY, 'serve', ...line.argv);
  await import('./main.js');
}

/** Null = there is nothing to serve: usage was printed. */
function read(argv: readonly string[]): TrtserverLine | null {
  try {
    const read = readTrtserverLine(argv);
    if (read === null) process.stderr.write(trtserverUsage());
    return read;
  } catch (error) {
    process.stderr.write(`${trtserverUsage()}\n${asServerError(error).message}\n`);
    return null;
  }
}
