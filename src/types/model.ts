import type { DataType } from './datatype.js';
import type { Shape } from './tensor.js';

/** Where one version of a model stands (repository index, `state`). */
export type VersionState = 'UNKNOWN' | 'LOADING' | 'READY' | 'UNLOADING' | 'UNAVAILABLE';

/** A tensor as a model file declares it; symbolic dimensions are -1. Includes the batch dimension where the model has one. */
export interface SignatureTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: Shape;
}

/** What a model file says of itself. Backends read it to complete and to check a configuration. */
export interface ModelSignature {
  readonly inputs: readonly SignatureTensor[];
  readonly outputs: readonly SignatureTensor[];
  /** Inputs that have a value of their own when a request has none (ONNX: initialisers that are graph inputs too). */
  readonly overridable: readonly SignatureTensor[];
}

/** The value that an input of a model has where a request leaves it out. */
export interface InputDefault extends SignatureTensor {
  /** Little-endian, row-major. Never BYTES. */
  readonly bytes: Uint8Array;
}
