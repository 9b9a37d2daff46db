import type { ConfigSource, FieldPath, Item, Statement } from '../config/config-source.js';
import type { Edit } from './finding.js';

/** The text with these edits, of which none may overlap another. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const { at, end, text: replacement } of [...edits].sort((a, b) => b.at - a.at)) {
    result = result.slice(0, at) + replacement + result.slice(end);
  }
  return result;
}

export function overlap(some: readonly Edit[], others: readonly Edit[]): boolean {
  return some.some((a) => others.some((b) => a.at < b.end && b.at < a.end));
}

/** Writes `text` as the value of a field that is there; all of a repeated one. */
export function replaceValue(source: ConfigSource, path: FieldPath, text: string): Edit[] {
  const place = source.place(path);
  if (place === null) return [];
  const [first, ...others] = place.statements;
  return [{ at: first!.valueAt, end: first!.end, text }, ...others.flatMap((each) => removal(source, each))];
}

/** Takes out a field, or one item of it. Comments stay. */
export function remove(source: ConfigSource, path: FieldPath): Edit[] {
  const place = source.place(path);
  if (place === null) return [];
  if (place.item === null) return place.statements.flatMap((statement) => removal(source, statement));
  return removeItem(source, place.statement, place.item);
}

export function removeItem(source: ConfigSource, statement: Statement, item: Item): Edit[] {
  if (statement.items.length === 1) return removal(source, statement);
  const index = statement.items.indexOf(item);
  const whole = { at: item.at, end: item.end, text: '' };
  if (index === 0) return [whole, ...gap(source, item.end, statement.items[1]!.at)];
  return [...gap(source, statement.items[index - 1]!.end, item.at), whole];
}

/** Takes out what lies between two items of a list, a comma and blanks, but for the comments. */
function gap(source: ConfigSource, from: number, to: number): Edit[] {
  const edits: Edit[] = [];
  let at = from;
  for (const comment of source.text.slice(from, to).matchAll(/#[^\n]*\n/g)) {
    const begin = from + comment.index;
    edits.push({ at, end: begin, text: ' ' });
    at = begin + comment[0].length;
  }
  return [...edits, { at, end: to, text: '' }];
}

/** A statement goes with the comma or semicolon behind it, and with its line where nothing else is on it. */
function removal({ text }: ConfigSource, { at, end }: Statement): Edit[] {
  const mark = markBehind(text, end);
  const isClose = mark !== null && /^[ \t]*$/.test(text.slice(end, mark));
  const last = isClose ? mark + 1 : end;
  const cuts: Edit[] = [spaced(text, at, last)];
  if (mark !== null && !isClose) cuts.push({ at: mark, end: mark + 1, text: '' });
  return cuts;
}

/** Also the blanks in front, or the whole line. */
function spaced(text: string, at: number, end: number): Edit {
  const lineAt = text.lastIndexOf('\n', at - 1) + 1;
  const before = /[ \t]*$/.exec(text.slice(lineAt, at))![0];
  const behind = /^[ \t\r]*(\n|$)?/.exec(text.slice(end))!;
  const isAlone = before.length === at - lineAt && (behind[1] !== undefined || end === text.length);
  if (isAlone) return { at: lineAt, end: end + behind[0].length, text: '' };
  // What stands on both sides must not become one word.
  const follows = text[end] ?? '\n';
  return { at: /[\s}>\]]/.test(follows) ? at - before.length : at, end, text: '' };
}

/** Offset of the `,` or `;` that comes next; null = something else does. */
function markBehind(text: string, end: number): number | null {
  const blank = /(?:[ \t\r\n\f\v]|#[^\n]*)*/y;
  blank.lastIndex = end;
  blank.exec(text);
  const at = Math.max(end, blank.lastIndex);
  return text[at] === ',' || text[at] === ';' ? at : null;
}
