import { parseArgs } from 'node:util';
import type { Engine } from '../server/server-process.js';

/** What is compared, and how. */
export interface CompareOptions {
  /** What git calls the older one. */
  readonly a: string;
  /** What git calls the newer one; null = the working tree. */
  readonly b: string | null;
  readonly bench: 'micro' | 'load';
  /** Beginnings of names of parts; of `micro` only. */
  readonly only: readonly string[];
  readonly rounds: number;
  /** Samples of a part in each round; of `micro` only. */
  readonly samples: number;
  /** Seconds of load in each round; of `load` only. */
  readonly seconds: number;
  /** Of `load` only. */
  readonly engine: Engine;
}

export const usage = `Usage: npm run bench:compare -- REV [--bench micro|load] [--only NAME]... [--rounds 10]
           micro: [--samples 5]    load: [--seconds 5] [--engine net|uws]
REV is compared with the working tree, REV..REV2 with REV2. --only takes the beginning of a part's name. bench/README.md says how to read the table.`;

/** Throws an Error that says which argument is wrong. */
export function parseCompareArgs(args: readonly string[]): CompareOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      bench: { type: 'string', default: 'micro' },
      only: { type: 'string', multiple: true, default: [''] },
      rounds: { type: 'string', default: '10' },
      samples: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      engine: { type: 'string', default: 'net' },
    },
  });
  if (positionals.length !== 1) throw new Error(`expected one revision, found ${positionals.length}`);
  return {
    ...revisions(positionals[0]!),
    bench: oneOf('--bench', values.bench, ['micro', 'load']),
    only: values.only,
    rounds: wholeFrom(2, '--rounds', values.rounds),
    samples: wholeFrom(1, '--samples', values.samples),
    seconds: wholeFrom(1, '--seconds', values.seconds),
    engine: oneOf('--engine', values.engine, ['net', 'uws']),
  };
}

function revisions(text: string): { a: string; b: string | null } {
  const dots = text.indexOf('..');
  const [a, b] = dots < 0 ? [text, null] : [text.slice(0, dots), text.slice(dots + 2)];
  if (a === '' || b === '' || a.startsWith('-') || b?.startsWith('.')) {
    throw new Error(`expected REV or REV..REV2, found '${text}'`);
  }
  return { a, b };
}

function oneOf<T extends string>(flag: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === text);
  if (found === undefined) throw new Error(`${flag}: expected ${allowed.join(' or ')}, found '${text}'`);
  return found;
}

function wholeFrom(least: number, flag: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`${flag}: expected a whole number from ${least} on, found '${text}'`);
}
