import { BYTE_ORDER_MARK } from './pbtxt-tokens.js';
import type { FieldSchema } from './schema.js';

/** A field, an index in a repeated one, or a key of a map: `['input', 0, 'dims']`, `['parameters', { key: 'a' }]`. */
export type FieldPath = readonly (string | number | { readonly key: string })[];

/** `input[0].dims`, `parameters["a"].string_value`; '' = the whole configuration. */
export function fieldText(path: FieldPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'string') text += text === '' ? part : `.${part}`;
    else text += typeof part === 'number' ? `[${part}]` : `[${JSON.stringify(part.key)}]`;
  }
  return text;
}

/** `field: value`, `field { ... }` or `field [ ... ]` as it stands in the text. Offsets; `end` is the first character behind it. */
export interface Statement {
  readonly field: FieldSchema;
  readonly at: number;
  readonly valueAt: number;
  readonly end: number;
  /** One, or those of a list. */
  readonly items: readonly Item[];
}

/** A value. */
export interface Item {
  readonly at: number;
  readonly end: number;
  /** Of a map's entry, which has the statements `key` and `value`; null for others. */
  readonly key: string | null;
  /** Of a message. */
  readonly statements: readonly Statement[];
}

/** Where something is written: the statement, or one item of it. */
export interface Place {
  /** Of the name where it has one. */
  readonly at: number;
  readonly end: number;
  readonly statement: Statement;
  /** All that say the same field; more than one where a repeated field is written piece by piece. */
  readonly statements: readonly Statement[];
  /** Null = all items of the field. */
  readonly item: Item | null;
}

/** Counted from 1; columns in UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The text of a configuration, and where each of its fields stands. */
export class ConfigSource {
  /** Without a byte order mark: what offsets count in. */
  readonly text: string;
  readonly file: string;
  readonly statements: readonly Statement[];
  readonly #places = new Map<string, Place>();
  readonly #children = new Map<string, FieldPath[]>();

  constructor(text: string, file: string, statements: readonly Statement[]) {
    this.text = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
    this.file = file;
    this.statements = statements;
    this.#addMessage(statements, []);
  }

  /** Null = it is not written. */
  place(path: FieldPath): Place | null {
    return this.#places.get(fieldText(path)) ?? null;
  }

  /** What is written directly in a message, a repeated field or a map, in the order of the text. */
  children(path: FieldPath): readonly FieldPath[] {
    return this.#children.get(fieldText(path)) ?? [];
  }

  /** Itself, or what it would stand in; null = nothing on the way is written. */
  nearest(path: FieldPath): Place | null {
    for (let length = path.length; length > 0; length--) {
      const place = this.place(path.slice(0, length));
      if (place !== null) return place;
    }
    return null;
  }

  position(offset: number): Position {
    const before = this.text.slice(0, offset).split('\n');
    return { line: before.length, column: before[before.length - 1]!.length + 1 };
  }

  #addMessage(statements: readonly Statement[], path: FieldPath): void {
    const fields = new Map<string, Statement[]>();
    for (const statement of statements) {
      const same = fields.get(statement.field.name);
      if (same === undefined) fields.set(statement.field.name, [statement]);
      else same.push(statement);
    }
    for (const [name, same] of fields) this.#addField([...path, name], same);
    this.#children.set(
      fieldText(path),
      [...fields.keys()].map((name) => [...path, name]),
    );
  }

  #addField(path: FieldPath, statements: readonly Statement[]): void {
    const statement = statements[0]!;
    this.#places.set(fieldText(path), { at: statement.at, end: statement.end, statement, statements, item: null });
    if (!statement.field.repeated && statement.field.mapKey === '') {
      if (statement.field.message !== null) this.#addMessage(statement.items[0]!.statements, path);
      return;
    }
    const items = statements.flatMap((each) => each.items.map((item) => ({ statement: each, item })));
    const children = new Map<string, FieldPath>();
    for (const [index, { statement: owner, item }] of items.entries()) {
      const child = [...path, item.key === null ? index : { key: item.key }];
      children.set(fieldText(child), child);
      this.#addItem(child, { at: item.at, end: item.end, statement: owner, statements, item });
    }
    this.#children.set(fieldText(path), [...children.values()]);
  }

  /** Of equal keys the last counts. */
  #addItem(path: FieldPath, place: Place): void {
    const { statement, item } = place;
    // `input { ... }` is named by its name, an item of `input [ ... ]` by itself.
    const at = statement.valueAt === item!.at ? statement.at : item!.at;
    this.#places.set(fieldText(path), { ...place, at });
    if (statement.field.message === null) return;
    const value = item!.statements.find(({ field }) => field.name === 'value');
    this.#addMessage(item!.key === null ? item!.statements : (value?.items[0]?.statements ?? []), path);
  }
}
