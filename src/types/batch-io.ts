/** What a batch input tells of the shapes that one input has in the requests of a batch, as configurations call it. */
export type BatchInputKind =
  | 'BATCH_ELEMENT_COUNT'
  | 'BATCH_ACCUMULATED_ELEMENT_COUNT'
  | 'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO'
  | 'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE'
  | 'BATCH_ITEM_SHAPE'
  | 'BATCH_ITEM_SHAPE_FLATTEN';

/** An input of a model that no client sends: the worker makes it for each batch. */
export interface BatchInputLayout {
  readonly name: string;
  readonly datatype: 'INT32' | 'FP32';
  readonly kind: BatchInputKind;
  /** The input that it tells of, by its place in the configuration. */
  readonly source: number;
}

/** An output of which each request gets as many elements as its own shape has: the output's dims, where -1 is that dimension of the source. */
export interface BatchOutputLayout {
  /** By its place in the configuration, like the source input. */
  readonly output: number;
  readonly source: number;
}
