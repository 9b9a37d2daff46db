import protobuf from 'protobufjs';

/** One field of a message: written in the order given. */
export type Field =
  | { readonly number: number; readonly message: readonly Field[] }
  | { readonly number: number; readonly text: string }
  | { readonly number: number; readonly bytes: Uint8Array }
  /** Negative numbers take ten bytes, as protobuf writes int64. */
  | { readonly number: number; readonly varint: number }
  | { readonly number: number; readonly fixed32: number }
  | { readonly number: number; readonly fixed64: number };

/** Bytes of a message, field by field: any message, also one that no schema allows. */
export function encode(fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const writer = protobuf.Writer.create();
  for (const field of fields) writeField(writer, field);
  return Uint8Array.from(writer.finish());
}

function writeField(writer: protobuf.Writer, field: Field): void {
  if ('message' in field) writer.uint32(field.number * 8 + 2).bytes(encode(field.message));
  else if ('text' in field) writer.uint32(field.number * 8 + 2).string(field.text);
  else if ('bytes' in field) writer.uint32(field.number * 8 + 2).bytes(field.bytes);
  else if ('varint' in field) writer.uint32(field.number * 8).int64(field.varint);
  else if ('fixed32' in field) writer.uint32(field.number * 8 + 5).fixed32(field.fixed32);
  else writer.uint32(field.number * 8 + 1).double(field.fixed64);
}

/** A dimension: its size, its symbol, or nothing at all. */
export type Dim = number | string | null;

/** TensorProto.DataType. */
export const onnx = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  COMPLEX64: 14,
  BFLOAT16: 16,
  FLOAT8E4M3FN: 17,
  INT4: 22,
} as const;

/** ValueInfoProto of a tensor; `dims` null = it says nothing of its shape. */
export function tensorValue(name: string, type: number, dims: readonly Dim[] | null): Field[] {
  const shape =
    dims === null ? [] : [{ number: 2, message: dims.map((dim) => ({ number: 1, message: dimFields(dim) })) }];
  const tensor = { number: 1, message: [{ number: 1, varint: type }, ...shape] };
  return [
    { number: 1, text: name },
    { number: 2, message: [tensor] },
  ];
}

function dimFields(dim: Dim): Field[] {
  if (dim === null) return [];
  return typeof dim === 'number' ? [{ number: 1, varint: dim }] : [{ number: 2, text: dim }];
}

/** ValueInfoProto of something else; `kind` is the field of TypeProto: 4 sequence, 5 map, 8 sparse tensor, 9 optional. */
export function otherValue(name: string, kind: number): Field[] {
  return [
    { number: 1, text: name },
    { number: 2, message: [{ number: kind, message: [] }] },
  ];
}

/** TensorProto with `value` being whatever fields carry its elements. */
export function tensor(name: string, type: number, dims: readonly number[], value: readonly Field[]): Field[] {
  return [
    ...dims.map((dim) => ({ number: 1, varint: dim })),
    { number: 2, varint: type },
    { number: 8, text: name },
    ...value,
  ];
}

/** Fields of a TensorProto that carry elements. */
export function raw(values: ArrayBufferView): Field[] {
  return [{ number: 9, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) }];
}

/** The elements are `length` bytes of another file. */
export function external(location: string, length: number): Field[] {
  const entry = (key: string, value: string) => ({
    number: 13,
    message: [
      { number: 1, text: key },
      { number: 2, text: value },
    ],
  });
  return [entry('location', location), entry('length', String(length)), { number: 14, varint: 1 }];
}

export interface GraphParts {
  readonly inputs: readonly Field[][];
  readonly outputs: readonly Field[][];
  readonly initializers?: readonly Field[][];
  /** SparseTensorProto messages. */
  readonly sparse?: readonly Field[][];
  readonly nodes?: readonly Field[][];
}

/** NodeProto. */
export function node(operator: string, inputs: readonly string[], outputs: readonly string[]): Field[] {
  return [
    ...inputs.map((text) => ({ number: 1, text })),
    ...outputs.map((text) => ({ number: 2, text })),
    { number: 4, text: operator },
  ];
}

/** ModelProto of opset 13, its graph written in the order of onnx.proto. */
export function model(graph: GraphParts, irVersion = 8): Uint8Array<ArrayBuffer> {
  return encode([
    { number: 1, varint: irVersion },
    { number: 2, text: 'test' },
    { number: 7, message: graphFields(graph) },
    { number: 8, message: [{ number: 2, varint: 13 }] },
  ]);
}

export function graphFields(graph: GraphParts): Field[] {
  const all = (number: number, messages: readonly Field[][] = []) => messages.map((message) => ({ number, message }));
  return [
    ...all(1, graph.nodes),
    { number: 2, text: 'graph' },
    ...all(5, graph.initializers),
    ...all(11, graph.inputs),
    ...all(12, graph.outputs),
    ...all(15, graph.sparse),
  ];
}
