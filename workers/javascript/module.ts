import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { invalid } from '../../src/types/errors.js';
import type { JavaScriptModel } from './model-api.js';

const REQUIRED = 'execute';
const OPTIONAL = ['configure', 'initialize', 'finalize'];

/** Loads the module of a model. Throws INVALID_ARGUMENT that says why it is none. */
export async function loadModule(path: string): Promise<JavaScriptModel> {
  const file = basename(path);
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    throw invalid(`${file} cannot be loaded: ${traceOf(error)}`);
  }
  const model = pick(exported);
  const missing = [REQUIRED, ...OPTIONAL].find((name) => !isUsable(name, model[name]));
  if (missing === undefined) return model as unknown as JavaScriptModel;
  const found = model[missing] === undefined ? 'nothing of that name' : typeof model[missing];
  throw invalid(`${file} must export a function '${missing}', found ${found}`);
}

/** Its exports, or those of its default export: what a CommonJS module has. */
function pick(exported: Record<string, unknown>): Record<string, unknown> {
  const { default: whole } = exported;
  const isWhole = exported[REQUIRED] === undefined && typeof whole === 'object' && whole !== null;
  return isWhole ? (whole as Record<string, unknown>) : exported;
}

function isUsable(name: string, value: unknown): boolean {
  return typeof value === 'function' || (name !== REQUIRED && value === undefined);
}

/** The stack where there is one: it says where in the author's file. A syntax error has that in front of its stack. */
export function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.stack ?? `${error.name}: ${error.message}`;
}
