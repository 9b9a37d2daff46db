import { closest } from 'fastest-levenshtein';
import { invalid } from '../types/errors.js';
import type { ModelConfig } from './model-config.js';
import { shorten, type Token } from './pbtxt-tokens.js';
import { scalarValue } from './pbtxt-values.js';
import { emptyMessage, type FieldSchema, type MessageSchema, modelConfigSchema } from './schema.js';

type Json = Record<string, unknown>;

/**
 * Reads a configuration in protobuf's JSON form, as the load request has it: fields by their proto or camel-case names, enums by name or
 * number, 64-bit integers as numbers or strings, a field that is `null` = not set. Nothing is filled in but proto defaults. Throws
 * INVALID_ARGUMENT that names the field, what was expected and what was found.
 */
export function modelConfigFromJson(text: string): ModelConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid(`the configuration is no JSON: ${(error as Error).message}`);
  }
  return readMessage(json, modelConfigSchema(), '') as unknown as ModelConfig;
}

function readMessage(json: unknown, schema: MessageSchema, path: string): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw expected('an object', path, json);
  const message = emptyMessage(schema);
  const branches = new Map<string, string>();
  for (const [name, value] of Object.entries(json)) {
    const field = findField(name, schema, path);
    if (value === null) continue;
    const other = field.oneof === '' ? undefined : branches.get(field.oneof);
    if (other !== undefined)
      throw invalid(`'${join(path, name)}' cannot be given together with '${join(path, other)}'`);
    branches.set(field.oneof, name);
    message[field.name] = readField(value, field, join(path, name));
  }
  return message;
}

function findField(name: string, schema: MessageSchema, path: string): FieldSchema {
  const field = schema.fields.get(name) ?? schema.fields.get(snakeCase(name));
  if (field !== undefined) return field;
  const where = path === '' ? schema.name : `'${path}' (${schema.name})`;
  const nearest = closest(shorten(name), [...schema.fields.keys()]);
  throw invalid(`${where} has no field '${shorten(name)}'; did you mean '${nearest}'?`);
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function readField(value: unknown, field: FieldSchema, path: string): unknown {
  if (field.mapKey !== '') return readMap(value, field, path);
  if (!field.repeated) return readValue(value, field, path);
  if (!Array.isArray(value)) throw expected('a list', path, value);
  return value.map((item, index) => readValue(item, field, `${path}[${index}]`));
}

/** Keys are always text. */
function readMap(value: unknown, field: FieldSchema, path: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected('an object', path, value);
  const map = Object.create(null) as Json;
  const keys: Pick<FieldSchema, 'kind' | 'scalar' | 'values'> = { kind: 'scalar', scalar: field.mapKey, values: {} };
  for (const [key, item] of Object.entries(value)) {
    readScalar(key, keys, `${path}.${key}`);
    map[key] = readValue(item, field, `${path}.${key}`);
  }
  return map;
}

function readValue(value: unknown, field: FieldSchema, path: string): unknown {
  return field.message === null ? readScalar(value, field, path) : readMessage(value, field.message, path);
}

function readScalar(value: unknown, field: Pick<FieldSchema, 'kind' | 'scalar' | 'values'>, path: string): unknown {
  const isText = field.scalar === 'string';
  const token = tokenOf(value, field.scalar);
  const result = token === null || (isText && token.kind !== 'string') ? null : scalarValue(token, field);
  if (result !== null && 'value' in result) return result.value;
  throw expected(result?.expected ?? (isText ? 'a string' : 'a value'), path, value);
}

/** A value as the text format would have it; null = it has none like that. */
function tokenOf(value: unknown, scalar: string): Token | null {
  if (typeof value === 'string' && scalar === 'string') return { kind: 'string', text: value, at: 0, end: 0 };
  if (typeof value === 'boolean') return { kind: 'name', text: String(value), at: 0, end: 0 };
  const text = typeof value === 'number' ? numberText(value, scalar) : value;
  if (typeof text !== 'string') return null;
  return { kind: /^-?[0-9.]/.test(text) ? 'number' : 'name', text, at: 0, end: 0 };
}

/** Integers that JSON has already rounded are no numbers that anyone wrote. */
function numberText(value: number, scalar: string): string | null {
  const isFloat = scalar === 'float' || scalar === 'double';
  return isFloat || !Number.isInteger(value) || Number.isSafeInteger(value) ? String(value) : null;
}

function expected(what: string, path: string, found: unknown) {
  return invalid(`field '${path}': expected ${what}, found ${shorten(shownJson(found))}`);
}

/** A value that `JSON.parse` has read, as JSON: it reads what `JSON.stringify` has not the stack to write. */
export function shownJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'what nests too deeply';
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
