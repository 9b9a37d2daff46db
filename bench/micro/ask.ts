import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Measured } from './measure.js';
import { partFiles } from './part.js';

/** What a process of parts is to do. */
export type Order =
  | { readonly kind: 'list'; readonly file: string }
  | { readonly kind: 'measure'; readonly file: string; readonly name: string; readonly samples: number };

/** What it says; `failed` also where the sources have not what the part is about. */
export type Reply = { readonly kind: 'parts'; readonly parts: readonly PartName[] } | MeasuredReply | Failed;

export interface MeasuredReply extends Measured {
  readonly kind: 'measured';
}

export interface Failed {
  readonly kind: 'failed';
  readonly reason: string;
}

export interface PartName {
  readonly name: string;
  readonly about: string;
}

/** A part, and the file that has it. */
export interface ListedPart extends PartName {
  readonly file: string;
}

/** What there is to measure in one tree of sources. */
export interface PartList {
  readonly parts: readonly ListedPart[];
  /** Files whose parts are not known, because these sources have not what they import; by the name of the file. */
  readonly failures: ReadonlyMap<string, string>;
}

/** With helpers of the garbage collector, what a part costs depends on how busy the other cores are. */
const execArgv = ['--single-threaded-gc'];

/** A part ends long before, unless it hangs. */
const TIMEOUT_MS = 120_000;

/**
 * @param root of a package whose `dist` has bench/micro
 * @param starts files are left out whose parts begin with none of these
 */
export async function listParts(root: string, starts: readonly string[] = ['']): Promise<PartList> {
  const parts: ListedPart[] = [];
  const failures = new Map<string, string>();
  for (const file of partFiles) {
    const group = `${file}/`;
    if (!starts.some((start) => group.startsWith(start) || start.startsWith(group))) continue;
    const reply = await ask(root, { kind: 'list', file });
    if (reply.kind === 'failed') failures.set(file, reply.reason);
    else if (reply.kind === 'parts') parts.push(...reply.parts.map((part) => ({ ...part, file })));
  }
  return { parts, failures };
}

export async function measureIn(
  root: string,
  { file, name }: ListedPart,
  samples: number,
): Promise<MeasuredReply | Failed> {
  const reply = await ask(root, { kind: 'measure', file, name, samples });
  return reply.kind === 'parts' ? { kind: 'failed', reason: 'it was asked to measure and listed' } : reply;
}

/** Never rejects: a process that dies has failed. */
function ask(root: string, order: Order): Promise<Reply> {
  const child = fork(join(root, 'dist/bench/micro/part-process.js'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv,
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, TIMEOUT_MS);
  return new Promise<Reply>((resolve) => {
    child.once('message', (reply) => resolve(reply as Reply));
    child.once('error', (error) => resolve({ kind: 'failed', reason: error.message }));
    child.once('exit', (code, signal) => {
      process.off('exit', kill);
      clearTimeout(timer);
      const reason = isLate ? `no result within ${TIMEOUT_MS / 1000} s` : `its process ended with ${signal ?? code}`;
      resolve({ kind: 'failed', reason });
    });
    child.send(order);
  });
}

/** The parts whose names begin with one of these; throws where there is none. */
export function chosenParts<P extends PartName>(parts: readonly P[], starts: readonly string[]): P[] {
  const chosen = parts.filter(({ name }) => starts.some((start) => name.startsWith(start)));
  if (chosen.length === 0) throw new Error(`--only: no part's name begins with ${starts.join(' or ')}`);
  return chosen;
}
