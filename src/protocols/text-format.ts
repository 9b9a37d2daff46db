import { shortestFloat } from '../config/config-json.js';
import type { FieldSchema, MessageSchema } from '../config/schema.js';

type Fields = Readonly<Record<string, unknown>>;

/**
 * A message as protobuf text format on one line, as `ShortDebugString` writes it: fields by number, defaults left out, repeated scalars
 * one by one. Members that the schema does not know are left out.
 */
export function shortText(message: object, schema: MessageSchema): string {
  return messageLines(message as Fields, schema, '').join(' ');
}

/** The same with a field on a line, as `DebugString` writes it. */
export function longText(message: object, schema: MessageSchema): string {
  return messageLines(message as Fields, schema, '  ')
    .map((line) => `${line}\n`)
    .join('');
}

/** @param step what a line in a message begins with */
function messageLines(message: Fields, schema: MessageSchema, step: string): string[] {
  const fields = [...schema.fields.values()].sort((a, b) => a.number - b.number);
  return fields.flatMap((field) => {
    const value = message[field.name];
    if (value === undefined || value === null) return [];
    if (field.mapKey !== '') return mapLines(value as Fields, field, step);
    if (field.repeated) return (value as unknown[]).flatMap((item) => valueLines(item, field, step));
    return isDefault(value, field) ? [] : valueLines(value, field, step);
  });
}

/** What is in a oneof, or a message, is written whatever it is. */
function isDefault(value: unknown, field: FieldSchema): boolean {
  if (field.message !== null || field.oneof !== '') return false;
  if (field.kind === 'enum') return (field.values[String(value)] ?? value) === 0;
  return value === '' || value === false || value === 0 || value === 0n;
}

function valueLines(value: unknown, field: FieldSchema, step: string): string[] {
  if (field.message === null) return [`${field.name}: ${scalarText(value, field)}`];
  return blockLines(field.name, messageLines(value as Fields, field.message, step), step);
}

function mapLines(map: Fields, field: FieldSchema, step: string): string[] {
  const valueField = { ...field, name: 'value', mapKey: '', repeated: false };
  return Object.entries(map).flatMap(([key, value]) => {
    const keyText = field.mapKey === 'string' ? quoted(key) : key;
    return blockLines(field.name, [`key: ${keyText}`, ...valueLines(value, valueField, step)], step);
  });
}

function blockLines(name: string, lines: readonly string[], step: string): string[] {
  return [`${name} {`, ...lines.map((line) => step + line), '}'];
}

/** Digits alone are an integer to the parser of clients, which takes 64 bits of them. */
const LONGEST_PLAIN = 1e15;

function scalarText(value: unknown, field: FieldSchema): string {
  if (field.scalar === 'string') return quoted(String(value));
  if (field.scalar !== 'float' && field.scalar !== 'double') return String(value);
  const number = value as number;
  if (Number.isNaN(number)) return 'nan';
  if (!Number.isFinite(number)) return number > 0 ? 'inf' : '-inf';
  if (Object.is(number, -0)) return '-0';
  const shortest = field.scalar === 'float' ? shortestFloat(number) : number;
  return Math.abs(shortest) < LONGEST_PLAIN ? String(shortest) : shortest.toExponential();
}

const ESCAPES: Readonly<Record<number, string>> = {
  10: '\\n',
  13: '\\r',
  9: '\\t',
  34: '\\"',
  39: "\\'",
  92: '\\\\',
};
const SPACE = 0x20;
const DELETE = 0x7f;

/** In double quotes with escapes of C; what is no ASCII as the octal numbers of its bytes. */
function quoted(text: string): string {
  let escaped = '';
  for (const byte of Buffer.from(text)) {
    if (ESCAPES[byte] !== undefined) escaped += ESCAPES[byte];
    else if (byte < SPACE || byte >= DELETE) escaped += `\\${byte.toString(8).padStart(3, '0')}`;
    else escaped += String.fromCharCode(byte);
  }
  return `"${escaped}"`;
}
