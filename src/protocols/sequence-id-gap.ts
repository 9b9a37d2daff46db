import type { SequenceId } from '../types/infer.js';
import type { DataRange } from './data-range.js';
import { skipPlainString } from './plain-string.js';

const KEY = '"sequence_id"';
const COLON = 0x3a;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const LARGEST = '18446744073709551615';
/** Numbers of fewer digits are exact. */
const EXACT_DIGITS = 15;

/**
 * Where the value of `sequence_id` stands in a head whose id it is; null = it is part of the text: there is none, or one that is not
 * written plainly, or the name stands in the text twice.
 * @param data where it is not looked for
 */
export function findSequenceId(
  body: Buffer,
  begin: number,
  end: number,
  data: readonly DataRange[],
  id: SequenceId,
): DataRange | null {
  if (id === 0 || id === '') return null;
  let found = -1;
  for (let at = body.indexOf(KEY, begin); at >= 0 && at < end; at = body.indexOf(KEY, at + 1)) {
    if (data.some((range) => at >= range.start && at < range.end)) continue;
    if (found >= 0) return null;
    found = at + KEY.length;
  }
  if (found < 0) return null;
  while (found < end && (isBlank(body[found]!) || body[found] === COLON)) found++;
  const range = { start: found, end: skipSequenceId(body, found, end, typeof id === 'string') };
  return range.end >= 0 && readSequenceId(body, range) === id ? range : null;
}

/** Behind the id that begins at `begin`; -1 = there is none of this kind, or one that must be parsed. */
export function skipSequenceId(body: Buffer, begin: number, end: number, isText: boolean): number {
  if (isText) {
    const behind = skipPlainString(body, begin, end);
    return behind === begin + 2 ? -1 : behind;
  }
  let at = begin;
  while (at < end && body[at]! >= DIGIT_0 && body[at]! <= DIGIT_9) at++;
  const digits = at - begin;
  if (digits === 0 || digits > LARGEST.length || body[begin] === DIGIT_0) return -1;
  return digits === LARGEST.length && body.toString('latin1', begin, at) > LARGEST ? -1 : at;
}

/** The id that `skipSequenceId` found there. */
export function readSequenceId(body: Buffer, { start, end }: DataRange): SequenceId {
  if (body[start]! > DIGIT_9 || body[start]! < DIGIT_0) return body.toString('latin1', start + 1, end - 1);
  if (end - start > EXACT_DIGITS) return readLarge(body.toString('latin1', start, end));
  let value = 0;
  for (let at = start; at < end; at++) value = 10 * value + (body[at]! - DIGIT_0);
  return value;
}

function readLarge(digits: string): number | bigint {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : BigInt(digits);
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
