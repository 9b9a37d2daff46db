import type { TensorData } from '../data/data-set.js';

/**
 * The bytes of one request, made once and sent again and again. Places in it that differ from one sending to the next have a fixed width,
 * so that the length never changes.
 *
 * `bytes` is what the wire sends, as it stands: over HTTP the head and the body; over gRPC the message with its prefix of 5 bytes; over
 * WebSocket the whole frame, whose mask is zero.
 */
export interface PreparedRequest {
  readonly bytes: Buffer;
  /** Where the id stands, `ID_DIGITS` decimal digits; -1 = there is none, because the wire needs none to tell answers apart. */
  readonly idAt: number;
  /** Where the id of the sequence stands; null = it is part of none. */
  readonly sequenceId: SequenceIdPlace | null;
  /** Bytes of tensors in it, for the figures. */
  readonly tensorBytes: number;
}

export const ID_DIGITS = 10;

/**
 * `digits`: a number of JSON, left-aligned, filled up with blanks to `SEQUENCE_ID_DIGITS`. `varint`: of protobuf, with continuation bits to
 * `SEQUENCE_ID_VARINT_BYTES`.
 */
export interface SequenceIdPlace {
  readonly form: 'digits' | 'varint';
  readonly at: number;
}

export const SEQUENCE_ID_DIGITS = 16;
export const SEQUENCE_ID_VARINT_BYTES = 8;

/** Of a step of a sequence: whether it begins it, ends it. */
export type StepPlace = 'first' | 'middle' | 'last' | 'only';

/** The requests of a data set, as `DataSet.streams`, each step for each place that it can have; a model without sequences has `middle` only. */
export type PreparedStreams = readonly (readonly PreparedStep[])[];

export interface PreparedStep {
  readonly requests: Readonly<Partial<Record<StepPlace, PreparedRequest>>>;
  /** What the answer must be; null = it is not looked at. */
  readonly expected: readonly TensorData[] | null;
}
