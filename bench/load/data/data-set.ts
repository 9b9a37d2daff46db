/** One tensor of a request, or one that is expected in an answer. */
export interface TensorData {
  readonly name: string;
  /** Of the V2 protocol: `FP32`, `BYTES`, ... */
  readonly datatype: string;
  /** With the batch dimension, where the model has one. */
  readonly shape: readonly number[];
  /** As in the binary extension: row-major, little-endian, BYTES with a length of 4 bytes before each element. */
  readonly bytes: Buffer;
}

export type ParameterValue = string | number | bigint | boolean;

/** What one request carries. */
export interface Step {
  readonly inputs: readonly TensorData[];
  /** null = answers are not looked at. */
  readonly expected: readonly TensorData[] | null;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
}

/**
 * What requests carry: streams of steps. A sequence takes the steps of one stream, one after another, from the beginning again where it is
 * longer; other requests take the steps of all streams in turn.
 */
export interface DataSet {
  readonly streams: readonly (readonly Step[])[];
}
