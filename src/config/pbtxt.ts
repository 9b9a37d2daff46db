import { closest } from 'fastest-levenshtein';
import { ConfigSource, type Item, type Statement } from './config-source.js';
import type { ModelConfig } from './model-config.js';
import { shorten, type Token, Tokenizer } from './pbtxt-tokens.js';
import { scalarValue } from './pbtxt-values.js';
import { defaultValue, emptyMessage, type FieldSchema, type MessageSchema, modelConfigSchema } from './schema.js';

/** Deeper than any message of the schema nests: a bound for hostile files. */
const DEEPEST = 64;

/**
 * Reads a `config.pbtxt`: protobuf text format of ModelConfig. Nothing is filled in but proto defaults. Throws INVALID_ARGUMENT
 * `file:line:column: ...` that names the field, what was expected and what was found.
 */
export function parseModelConfig(text: string, file: string): ModelConfig {
  const parser = new Parser(new Tokenizer(text, file));
  return parser.message(modelConfigSchema(), '', null, 0) as unknown as ModelConfig;
}

/** The same for any other message; `source` is where the text comes from. */
export function parseMessage(schema: MessageSchema, text: string, source: string): Record<string, unknown> {
  return new Parser(new Tokenizer(text, source)).message(schema, '', null, 0);
}

/** The same, and where everything stands in the text. */
export function parseWithSource(text: string, file: string): { config: ModelConfig; source: ConfigSource } {
  const parser = new Parser(new Tokenizer(text, file));
  const config = parser.message(modelConfigSchema(), '', null, 0) as unknown as ModelConfig;
  return { config, source: new ConfigSource(text, file, parser.statements) };
}

type Message = Record<string, unknown>;

class Parser {
  readonly #tokens: Tokenizer;
  #token: Token;
  /** Behind the token before this one. */
  #end = 0;
  /** Of the message that is being read. */
  #statements: Statement[] = [];

  constructor(tokens: Tokenizer) {
    this.#tokens = tokens;
    this.#token = tokens.next();
  }

  get statements(): readonly Statement[] {
    return this.#statements;
  }

  /** Fields up to `close` (null = the end of the file); `path` is where we are, for messages. */
  message(schema: MessageSchema, path: string, close: string | null, depth: number): Message {
    if (depth > DEEPEST) throw this.#tokens.error(this.#token.at, `messages nest deeper than ${DEEPEST}`);
    const message = emptyMessage(schema);
    const seen = new Map<string, string>();
    while (!this.#isClose(close, path)) {
      const field = this.#field(schema, path, close);
      this.#claim(field, seen, path);
      const { at } = this.#token;
      this.#take();
      const items: Item[] = [];
      const valueAt = this.#values(message, field, join(path, field.name), depth, items);
      this.#statements.push({ field, at, valueAt, end: this.#end, items });
      this.#skipMark(',', ';');
    }
    if (close !== null) this.#take();
    return message;
  }

  #isClose(close: string | null, path: string): boolean {
    const { kind, text, at } = this.#token;
    if (kind === 'end') {
      if (close === null) return true;
      throw this.#tokens.error(at, `expected '${close}' to close '${path}', found the end of the file`);
    }
    return kind === 'mark' && text === close;
  }

  #field(schema: MessageSchema, path: string, close: string | null): FieldSchema {
    const { kind, text, at } = this.#token;
    const where = path === '' ? schema.name : `'${path}' (${schema.name})`;
    if (kind !== 'name') {
      const what = close === null ? `a field of ${where}` : `a field of ${where} or '${close}'`;
      throw this.#tokens.error(at, `expected ${what}, found ${describe(this.#token)}`);
    }
    const field = schema.fields.get(text);
    if (field !== undefined) return field;
    const name = shorten(text);
    const nearest = closest(name, [...schema.fields.keys()]);
    throw this.#tokens.error(at, `${where} has no field '${name}'; did you mean '${nearest}'?`);
  }

  /** What can be set once is set once, and one branch of a oneof. */
  #claim(field: FieldSchema, seen: Map<string, string>, path: string): void {
    if (field.repeated || field.mapKey !== '') return;
    const key = field.oneof || field.name;
    const before = seen.get(key);
    seen.set(key, field.name);
    if (before === undefined) return;
    const name = join(path, field.name);
    const why = before === field.name ? 'is given twice' : `cannot be given together with '${join(path, before)}'`;
    throw this.#tokens.error(this.#token.at, `field '${name}' ${why}`);
  }

  /** Returns where they begin. */
  #values(message: Message, field: FieldSchema, path: string, depth: number, items: Item[]): number {
    const hasColon = this.#skipMark(':');
    const isMessage = field.kind === 'message' || field.mapKey !== '';
    if (!hasColon && !isMessage) throw this.#expected("':'", path);
    const { at } = this.#token;
    if (this.#token.kind !== 'mark' || this.#token.text !== '[') {
      items.push(this.#item(message, field, path, depth));
      return at;
    }
    if (!field.repeated && field.mapKey === '') {
      throw this.#tokens.error(this.#token.at, `field '${path}' takes one value, found a list`);
    }
    this.#take();
    if (this.#skipMark(']')) return at;
    do items.push(this.#item(message, field, path, depth));
    while (this.#skipMark(','));
    if (!this.#skipMark(']')) throw this.#expected("',' or ']'", path);
    return at;
  }

  /** One value, stored in the message. */
  #item(message: Message, field: FieldSchema, path: string, depth: number): Item {
    const outer = this.#statements;
    const statements: Statement[] = [];
    this.#statements = statements;
    const { at } = this.#token;
    const key = this.#store(message, field, path, depth);
    this.#statements = outer;
    return { at, end: this.#end, key, statements };
  }

  /** Returns the key of a map's entry; null for others. */
  #store(message: Message, field: FieldSchema, path: string, depth: number): string | null {
    if (field.mapKey !== '') return this.#mapEntry(message[field.name] as Message, field, path, depth);
    const value = this.#value(field, path, depth);
    if (field.repeated) (message[field.name] as unknown[]).push(value);
    else message[field.name] = value;
    return null;
  }

  #value(field: FieldSchema, path: string, depth: number): unknown {
    if (field.message !== null) return this.message(field.message, path, this.#open(path), depth + 1);
    const result = scalarValue(this.#token, field);
    if ('expected' in result) throw this.#expected(result.expected, path);
    this.#take();
    return result.value;
  }

  /** `{ key: ... value: ... }`; either may be left out and is then the default. */
  #mapEntry(map: Message, field: FieldSchema, path: string, depth: number): string {
    const keyField: FieldSchema = {
      ...field,
      name: 'key',
      kind: 'scalar',
      scalar: field.mapKey,
      mapKey: '',
      message: null,
    };
    const valueField: FieldSchema = { ...field, name: 'value', mapKey: '', repeated: false };
    const schema: MessageSchema = {
      name: 'map entry',
      fields: new Map([
        ['key', { ...keyField, repeated: false }],
        ['value', valueField],
      ]),
    };
    const entry = this.message(schema, path, this.#open(path), depth + 1);
    const value = entry.value ?? (field.message === null ? defaultValue(valueField) : emptyMessage(field.message));
    const key = String(entry.key);
    map[key] = value;
    return key;
  }

  /** The mark that closes what opens here. */
  #open(path: string): string {
    if (this.#skipMark('{')) return '}';
    if (this.#skipMark('<')) return '>';
    throw this.#expected("'{'", path);
  }

  #expected(what: string, path: string) {
    return this.#tokens.error(this.#token.at, `field '${path}': expected ${what}, found ${describe(this.#token)}`);
  }

  #skipMark(...marks: string[]): boolean {
    if (this.#token.kind !== 'mark' || !marks.includes(this.#token.text)) return false;
    this.#take();
    return true;
  }

  #take(): void {
    this.#end = this.#token.end;
    this.#token = this.#tokens.next();
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function describe({ kind, text }: Token): string {
  if (kind === 'end') return text;
  return kind === 'string' ? `the string ${JSON.stringify(shorten(text))}` : `'${shorten(text)}'`;
}
