import type { ErrorCode } from '../../types/errors.js';
import type { Hints } from './convert.js';
import type { SavedChoice } from './saved-model.js';

/** A TensorFlow model that is wanted as an ONNX file. Goes to another thread. */
export interface ConvertTask {
  readonly form: 'graphdef' | 'savedmodel';
  /** Of the graph's file, or of the SavedModel's folder. */
  readonly path: string;
  readonly hints: Hints;
  /** For SavedModels alone. */
  readonly choice: SavedChoice;
  /** Folder of files made before. */
  readonly cache: string;
  /** What may stay in it, but for files in use. */
  readonly cacheMaxBytes: number;
}

/** Where the ONNX file is, and what is to be told of it ('' = nothing); or why there is none. */
export type ConvertOutcome =
  | { readonly path: string; readonly isNew: boolean; readonly warning: string }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };
