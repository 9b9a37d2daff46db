import { shortestFloat } from './config-json.js';
import type { FieldPath } from './config-source.js';
import type { ModelConfig } from './model-config.js';
import { type FieldSchema, type MessageSchema, modelConfigSchema } from './schema.js';

type Message = Record<string, unknown>;

/**
 * A configuration as protobuf text format, a field on a line, defaults included; reading it gives the same again. Lists of messages and
 * maps without entries are left out.
 * @param comment what stands behind a value, without `#`; '' = nothing
 */
export function formatModelConfig(config: ModelConfig, comment: (path: FieldPath) => string = () => ''): string {
  const lines = new Formatter(comment).message(config as unknown as Message, modelConfigSchema(), [], '');
  return lines.map((line) => `${line}\n`).join('');
}

class Formatter {
  readonly #comment: (path: FieldPath) => string;

  constructor(comment: (path: FieldPath) => string) {
    this.#comment = comment;
  }

  message(message: Message, schema: MessageSchema, path: FieldPath, indent: string): string[] {
    return [...schema.fields.values()].flatMap((field) => {
      const value = message[field.name];
      return value === undefined ? [] : this.#field(value, field, [...path, field.name], indent);
    });
  }

  #field(value: unknown, field: FieldSchema, path: FieldPath, indent: string): string[] {
    if (field.mapKey !== '') {
      return Object.entries(value as Message).flatMap(([key, item]) =>
        this.#entry(key, item, field, [...path, { key }], indent),
      );
    }
    if (field.message !== null) {
      if (!field.repeated) return this.#block(field, value, path, indent);
      return (value as unknown[]).flatMap((item, index) => this.#block(field, item, [...path, index], indent));
    }
    const items = field.repeated ? (value as unknown[]) : [value];
    const texts = items.map((item) => scalarText(item, field));
    const text = !field.repeated ? texts[0]! : texts.length === 0 ? '[ ]' : `[ ${texts.join(', ')} ]`;
    return [`${indent}${field.name}: ${text}${this.#behind(path)}`];
  }

  #block(field: FieldSchema, value: unknown, path: FieldPath, indent: string): string[] {
    const inside = this.message(value as Message, field.message!, path, `${indent}  `);
    if (inside.length === 0) return [`${indent}${field.name} { }${this.#behind(path)}`];
    return [`${indent}${field.name} {`, ...inside, `${indent}}`];
  }

  #entry(key: string, value: unknown, field: FieldSchema, path: FieldPath, indent: string): string[] {
    const inner = `${indent}  `;
    const keyText = field.mapKey === 'string' ? stringText(key) : key;
    const valueField = { ...field, name: 'value', mapKey: '', repeated: false };
    return [
      `${indent}${field.name} {`,
      `${inner}key: ${keyText}`,
      ...this.#field(value, valueField, path, inner),
      `${indent}}`,
    ];
  }

  #behind(path: FieldPath): string {
    const text = this.#comment(path);
    return text === '' ? '' : `  # ${text}`;
  }
}

function scalarText(value: unknown, field: FieldSchema): string {
  if (field.kind === 'enum') return String(value);
  if (field.scalar === 'string') return stringText(String(value));
  if (typeof value !== 'number') return String(value);
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0';
  return String(field.scalar === 'float' ? shortestFloat(value) : value);
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Quoted for a configuration; one line. */
export function stringText(text: string): string {
  const escaped = (character: string) =>
    ESCAPES[character] ?? `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that are escaped
  return `"${text.replaceAll(/["\\\u0000-\u001f\u007f]/g, escaped)}"`;
}
