import type { RegionRange, SequenceId } from '../types/infer.js';

export interface V1Input {
  readonly name: string;
  /** Without the batch dimension; empty = those of the configuration. */
  readonly dims: readonly number[];
  /** 0 = it was not said. */
  readonly batchByteSize: number;
  /** Null = its bytes come with the request. */
  readonly shared: RegionRange | null;
}

export interface V1Output {
  readonly name: string;
  /** 0 = the tensor itself. */
  readonly classCount: number;
  readonly shared: RegionRange | null;
}

/** What requests to a model have in common: an InferRequestHeader without what differs from request to request. */
export interface V1Form {
  readonly batchSize: number;
  readonly inputs: readonly V1Input[];
  readonly outputs: readonly V1Output[];
}

/** What differs. */
export interface V1Particulars {
  /** 0 = none. */
  readonly correlationId: SequenceId;
  /** 0 = none. */
  readonly id: number | bigint;
  /** Bits of InferRequestHeader.Flag. */
  readonly flags: number;
}

export const SEQUENCE_START = 1;
export const SEQUENCE_END = 2;

export const NO_PARTICULARS: V1Particulars = { correlationId: 0, id: 0, flags: 0 };

/** An InferRequestHeader as its reader made it, with the names of the .proto file. */
export interface V1HeaderFields {
  readonly batch_size: number;
  readonly input: readonly {
    readonly name: string;
    readonly dims: readonly (number | bigint)[];
    readonly batch_byte_size: number | bigint;
    readonly shared_memory?: SharedFields | null;
  }[];
  readonly output: readonly {
    readonly name: string;
    readonly cls?: { readonly count: number } | null;
    readonly shared_memory?: SharedFields | null;
  }[];
  readonly correlation_id: SequenceId;
  readonly id: number | bigint;
  readonly flags: number;
}

interface SharedFields {
  readonly name: string;
  readonly offset: number | bigint;
  readonly byte_size: number | bigint;
}

export function formOf({ batch_size, input, output }: V1HeaderFields): V1Form {
  return {
    batchSize: batch_size,
    inputs: input.map(({ name, dims, batch_byte_size, shared_memory }) => ({
      name,
      dims: dims.map(Number),
      batchByteSize: Number(batch_byte_size),
      shared: sharedOf(shared_memory),
    })),
    outputs: output.map(({ name, cls, shared_memory }) => {
      const classCount = cls?.count ?? 0;
      return { name, classCount, shared: classCount > 0 ? null : sharedOf(shared_memory) };
    }),
  };
}

export function particularsOf({ correlation_id, id, flags }: V1HeaderFields): V1Particulars {
  return { correlationId: correlation_id, id, flags };
}

/** Beyond 2^53 a neighbour will do: no region is so large. */
function sharedOf(fields: SharedFields | null | undefined): RegionRange | null {
  if (fields === undefined || fields === null) return null;
  return { region: fields.name, offset: Number(fields.offset), byteSize: Number(fields.byte_size) };
}
