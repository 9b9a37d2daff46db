import { randomUUID } from 'node:crypto';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BYTE_ORDER_MARK } from '../config/pbtxt-tokens.js';
import type { ModelEntry } from '../repository/scan.js';
import { applyEdits, overlap } from './edits.js';
import { count, type Finding } from './finding.js';
import { inspectModel } from './inspect.js';
import type { Neighbourhood } from './neighbourhood.js';
import type { CheckSettings } from './settings.js';

/** A configuration that was mended, in memory. */
export interface Mended {
  readonly text: string;
  /** What is gone. */
  readonly fixed: readonly Finding[];
  /** What is left. */
  readonly findings: readonly Finding[];
}

/** One mend may make another possible: never more often than this. */
const MOST_ROUNDS = 50;

type Inspect = (text: string) => Promise<readonly Finding[]>;

/**
 * Applies the safe edits of a model's findings, one finding after the other, and looks at the result each time: an edit stays only where
 * its finding is gone and nothing else came. Writes nothing.
 */
export async function mend(
  entry: ModelEntry,
  settings: CheckSettings,
  neighbourhood: Neighbourhood | null = null,
): Promise<Mended> {
  const text = entry.configText;
  return mendText(text, (configText) => inspectModel({ ...entry, configText }, settings, neighbourhood));
}

/** The same with any inspection, for tests. */
export async function mendText(text: string, inspect: Inspect): Promise<Mended> {
  const mark = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
  let plain = text.slice(mark.length);
  let findings = await inspect(mark + plain);
  const fixed: Finding[] = [];
  const failed = new Set<string>();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = findings.find((finding) => finding.edits.length > 0 && !failed.has(keyOf(finding)));
    if (next === undefined) break;
    const candidate = applyEdits(plain, apart(next));
    const after = await inspect(mark + candidate);
    if (candidate === plain || !isBetter(findings, after, next)) {
      failed.add(keyOf(next));
      continue;
    }
    plain = candidate;
    findings = after;
    fixed.push(next);
  }
  return { text: mark + plain, fixed, findings };
}

/** The edits of one finding, without any that would write over another. */
function apart({ edits }: Finding) {
  return edits.filter((edit, index) => !overlap([edit], edits.slice(0, index)));
}

/** Positions shift with each edit: the words tell findings apart. */
function keyOf({ rule, field, message }: Finding): string {
  return JSON.stringify([rule, field, message]);
}

/** The finding is gone, once, and there are no more errors or warnings than before. */
function isBetter(before: readonly Finding[], after: readonly Finding[], fixed: Finding): boolean {
  const times = (findings: readonly Finding[]) => findings.filter((each) => keyOf(each) === keyOf(fixed)).length;
  const isWorse = (['error', 'warning'] as const).some((severity) => count(after, severity) > count(before, severity));
  return !isWorse && times(after) < times(before) && !after.some(({ rule }) => rule === 'syntax');
}

/**
 * Replaces a configuration as a whole or not at all: readers see the old file or the new one. Links are followed, permissions kept.
 * Throws where the file is no longer what was read, or is no UTF-8: then it would not stay what it is.
 */
export async function replaceFile(file: string, before: string, after: string): Promise<void> {
  const path = await realpath(file);
  const bytes = await readFile(path);
  if (!bytes.equals(Buffer.from(before))) {
    throw new Error(`${file} is not written: it was changed meanwhile, or is no UTF-8`);
  }
  const { mode } = await stat(path);
  const temporary = join(dirname(path), `.conch-${randomUUID()}`);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.chmod(mode);
      await handle.writeFile(after);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
