import type { BatchOutputs } from '../backends/batch-outputs.js';
import { type ErrorCode, ServerError } from '../types/errors.js';
import type { ParameterValue } from '../types/infer.js';

/** What a backend says of one answer beside its outputs. */
export interface ResponseNote {
  /** The request went wrong; null = it did not. */
  readonly error: ServerError | null;
  /** Null = there are none. */
  readonly parameters: ReadonlyMap<string, ParameterValue> | null;
  /** The request is to run again; there is no answer yet. */
  readonly isAgain: boolean;
}

/** As the backend writes it. An integer that a number cannot hold exactly comes as its decimal digits. */
interface WrittenNote {
  readonly reschedule?: true;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
  readonly parameters?: Readonly<Record<string, string | number | boolean | { readonly int64: string }>>;
}

export const NO_NOTE: ResponseNote = { error: null, parameters: null, isAgain: false };

/** What is said of request `entry` of `outputs`. */
export function readNote(outputs: BatchOutputs, entry: number): ResponseNote {
  const text = outputs.note(entry);
  if (text === null) return NO_NOTE;
  const { error, parameters = {}, reschedule = false } = JSON.parse(text) as WrittenNote;
  const entries = Object.entries(parameters).map(([key, value]): [string, ParameterValue] => [
    key,
    typeof value === 'object' ? BigInt(value.int64) : value,
  ]);
  return {
    error: error === undefined ? null : new ServerError(error.code, error.message),
    parameters: entries.length === 0 ? null : new Map(entries),
    isAgain: reschedule,
  };
}
