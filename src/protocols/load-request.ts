import { shownJson } from '../config/config-from-json.js';
import type { LoadOverrides } from '../repository/overrides.js';
import { invalid, ServerError } from '../types/errors.js';

const FILE = 'file:';

type Json = Readonly<Record<string, unknown>>;

/**
 * The parameters of a load request (fact sheet 1.5): `config`, and `file:PATH` in base64 or, over gRPC, as bytes. Throws INTERNAL, as Triton, for
 * others and for other types; INVALID_ARGUMENT for what is no base64.
 */
export function loadOverrides(parameters: Json): LoadOverrides {
  let config: string | null = null;
  const files = new Map<string, Uint8Array>();
  for (const [name, value] of Object.entries(parameters)) {
    if (name === 'config' && typeof value === 'string') config = value;
    else if (name.startsWith(FILE)) files.set(name.slice(FILE.length), contentOf(name, value));
    else throw unexpected(name);
  }
  return { config, files };
}

function contentOf(name: string, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (typeof value !== 'string') throw unexpected(name);
  const bytes = Buffer.from(value, 'base64');
  // Node reads on behind what is no base64: whatever was read must be all there was.
  if (bytes.length !== base64Bytes(value)) throw invalid(`parameter '${name}': expected base64, found something else`);
  return bytes;
}

/** Bytes of a text that is base64; -1 = it is none. Line breaks are fine, and so is no padding. */
function base64Bytes(text: string): number {
  const plain = text.includes('\n') ? text.replace(/[\r\n]/g, '') : text;
  const pad = plain.endsWith('==') ? 2 : plain.endsWith('=') ? 1 : 0;
  const digits = plain.length - pad;
  const isWhole = pad === 0 ? digits % 4 !== 1 : (digits + pad) % 4 === 0;
  return isWhole ? Math.floor((digits * 3) / 4) : -1;
}

function unexpected(name: string): ServerError {
  return new ServerError(
    'INTERNAL',
    `unexpected error on creating Triton parameter '${name}': a load takes 'config', a text, and 'file:PATH', base64 over HTTP and bytes over gRPC`,
  );
}

/** A body of HTTP as an object; empty = `{}`. Throws INVALID_ARGUMENT for what is no object. */
export function readBody(bytes: Buffer): Json {
  const text = bytes.toString('utf8');
  if (text.trim() === '') return {};
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw invalid(`failed to parse the request JSON buffer: ${(error as Error).message}`);
  }
  return objectOf(body, 'the body of the request');
}

export function parametersOf({ parameters = {} }: Json): Json {
  return objectOf(parameters, "'parameters'");
}

function objectOf(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw invalid(`expected ${what} to be an object, found ${shownJson(value).slice(0, 80)}`);
}

/**
 * `unload_dependents` of an unload request: the steps that were loaded only because of the model go too (fact sheet 1.5). Throws INTERNAL, as
 * Triton, where it is no boolean. Other parameters are ignored.
 */
export function unloadsDependents({ unload_dependents = false }: Json): boolean {
  if (typeof unload_dependents === 'boolean') return unload_dependents;
  throw new ServerError('INTERNAL', "Unable to parse 'unload_dependents': expected a boolean");
}
