import protobuf from 'protobufjs';
import { invalid } from '../types/errors.js';
import type { InputDefault } from '../types/model.js';
import { graphProto, modelProto, tensorProto } from './onnx-proto.js';
import { readTensor } from './onnx-tensor.js';

export interface OpenedModel {
  readonly model: Uint8Array<ArrayBuffer>;
  /** In the order of the file. */
  readonly defaults: readonly InputDefault[];
}

/**
 * Makes plain inputs of initialisers that are graph inputs too: onnxruntime-node ignores a feed for an initialiser without a word
 * (fact sheet 13.2 item 17). The initialisers of these names are taken out of the file's bytes, their values returned; all others
 * stay. Throws INVALID_ARGUMENT for a name whose value is not there as a dense tensor, in the file itself.
 */
export function openInitializers(bytes: Uint8Array, names: ReadonlySet<string>): OpenedModel {
  const defaults: InputDefault[] = [];
  const parts: Uint8Array[] = [];
  for (const field of fields(bytes)) {
    if (field.number !== modelProto.graph || field.content === null) parts.push(field.whole);
    else parts.push(...openGraph(field.content, names, defaults));
  }
  const found = new Set(defaults.map(({ name }) => name));
  for (const name of names) if (!found.has(name)) throw notDense(name);
  return { model: join(parts), defaults };
}

/** The graph field without the named initialisers, in parts. */
function openGraph(graph: Uint8Array, names: ReadonlySet<string>, defaults: InputDefault[]): Uint8Array[] {
  const kept: Uint8Array[] = [];
  for (const field of fields(graph)) {
    const isInitializer = field.number === graphProto.initializer && field.content !== null;
    if (isInitializer && names.has(nameOf(field.content))) defaults.push(readTensor(field.content));
    else kept.push(field.whole);
  }
  const length = kept.reduce((sum, part) => sum + part.length, 0);
  const head = protobuf.Writer.create()
    .uint32(modelProto.graph * 8 + 2)
    .uint32(length);
  return [head.finish(), ...kept];
}

interface Field {
  readonly number: number;
  /** With its tag and length. */
  readonly whole: Uint8Array;
  /** Of a length-delimited field. */
  readonly content: Uint8Array | null;
}

function* fields(bytes: Uint8Array): Generator<Field> {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const begin = reader.pos;
    const tag = reader.uint32();
    let content: Uint8Array | null = null;
    if ((tag & 7) === 2) content = reader.bytes();
    else reader.skipType(tag & 7);
    yield { number: tag >>> 3, whole: bytes.subarray(begin, reader.pos), content };
  }
}

function nameOf(tensor: Uint8Array): string {
  for (const { number, content } of fields(tensor)) {
    if (number === tensorProto.name && content !== null) return Buffer.from(content).toString('utf8');
  }
  return '';
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function notDense(name: string) {
  return invalid(
    `input '${name}' cannot be opened: the ONNX file has no dense initializer of this name; export the model without a default for it`,
  );
}
