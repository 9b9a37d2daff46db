import { distance } from 'fastest-levenshtein';
import { invalid } from '../types/errors.js';
import { badOption, type Flag } from './flag.js';

/**
 * The flag that `given` (without dashes) means: its name, an alias, or the beginning of one flag's name only, as GNU's getopt has it.
 * Throws INVALID_ARGUMENT with the candidates of an ambiguous beginning, or with the nearest name of an unknown one.
 */
export function resolveFlag(given: string, flags: readonly Flag[]): Flag {
  const exact = flags.find((flag) => namesOf(flag).includes(given));
  if (exact !== undefined) return exact;
  const candidates = given === '' ? [] : flags.filter((flag) => namesOf(flag).some((name) => name.startsWith(given)));
  if (candidates.length === 1) return candidates[0]!;
  if (candidates.length > 1) throw invalid(`flag '--${given}' is ambiguous: ${nameList(candidates, given)}`);
  throw invalid(`unknown flag '--${given}', did you mean '--${nearestName(given, flags)}'?`);
}

function namesOf(flag: Flag): readonly string[] {
  return [flag.name, ...flag.aliases];
}

function nameList(flags: readonly Flag[], start: string): string {
  const names = flags.flatMap((flag) => namesOf(flag).filter((name) => name.startsWith(start)));
  return names.map((name) => `--${name}`).join(', ');
}

function nearestName(given: string, flags: readonly Flag[]): string {
  const names = flags.flatMap(namesOf);
  const distances = names.map((name) => distance(given, name));
  return names[distances.indexOf(Math.min(...distances))]!;
}

/** A command line in parts: words (the command and folders), flags as `--name=value` or `--name`, and what follows `--`. */
export interface SpelledOut {
  readonly words: readonly string[];
  readonly flags: readonly string[];
  readonly rest: readonly string[];
}

/**
 * Writes every flag with its full name and joins it to its value, so that what follows need not know GNU's rules.
 * @param others are looked at where no name of `flags` begins as the flag given
 */
export function spellOut(argv: readonly string[], flags: readonly Flag[], others: readonly Flag[] = []): SpelledOut {
  const words: string[] = [];
  const spelled: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') return { words, flags: spelled, rest: argv.slice(i + 1) };
    if (!word.startsWith('--')) {
      (word.startsWith('-') && word !== '-' ? spelled : words).push(word);
      continue;
    }
    const given = word.slice(2).split('=', 1)[0]!;
    const isKnown = flags.some((flag) => namesOf(flag).some((name) => name.startsWith(given)));
    const flag = resolveFlag(given, isKnown || others.length === 0 ? flags : others);
    if (takesNextWord(flag, word)) spelled.push(spelledFlag(flag, argv[++i]));
    else spelled.push(spelledFlag(flag, valueIn(word)));
  }
  return { words, flags: spelled, rest: [] };
}

function takesNextWord(flag: Flag, word: string): boolean {
  return flag.type !== 'bare' && valueIn(word) === undefined;
}

function valueIn(word: string): string | undefined {
  const equals = word.indexOf('=');
  return equals === -1 ? undefined : word.slice(equals + 1);
}

function spelledFlag(flag: Flag, value: string | undefined): string {
  if (flag.type !== 'bare') {
    if (value === undefined) throw badOption(flag.name, `it needs a value: --${flag.name}=${flag.placeholder}`);
    return `--${flag.name}=${value}`;
  }
  if (value !== undefined) throw badOption(flag.name, `it takes no value, got '${value}'`);
  return `--${flag.name}`;
}
