import { MessageType } from '../../../src/protocols/grpc/proto.js';
import { type DataType, isDataType } from '../../../src/types/datatype.js';
import type { Shape } from '../../../src/types/tensor.js';
import type { TensorData } from '../data/data-set.js';
import { type FixedElement, packElements, packStrings } from '../data/elements.js';
import { readTensor } from '../data/json-tensor.js';
import { parseJson } from '../data/json-text.js';
import type { Answer, WireProtocol } from '../wires/wire.js';

/** A part of an `Answer`. */
export type AnswerBytes = Pick<Answer, 'bytes' | 'start' | 'end' | 'jsonBytes'>;

type Members = ReadonlyMap<string, unknown>;

/** Of outputs that are in shared memory instead. */
const REGION = 'shared_memory_region';

/** The outputs that came with a good answer, in whatever form. Throws where it is none that could be read. */
export function answerOutputs(protocol: WireProtocol, answer: AnswerBytes): TensorData[] {
  if (protocol === 'grpc' || protocol === 'grpc-stream') return messageOutputs(answer);
  return bodyOutputs(answer);
}

function bodyOutputs({ bytes, start, end, jsonBytes }: AnswerBytes): TensorData[] {
  let at = jsonBytes < 0 ? end : start + jsonBytes;
  const root = parseJson('the answer', bytes.subarray(start, at));
  const outputs = root instanceof Map ? (root as Members).get('outputs') : undefined;
  if (!Array.isArray(outputs)) throw new Error("the answer has no 'outputs'");
  const sent = (outputs as Members[]).filter((output) => parameterOf(output, REGION) === undefined);
  return sent.map((output) => {
    const size = parameterOf(output, 'binary_data_size');
    if (typeof size !== 'number') return jsonOutput(output);
    if (at + size > end) throw new Error(`output '${output.get('name')}' has ${size} bytes, of which ${end - at} came`);
    at += size;
    return { ...headOf(output), bytes: bytes.subarray(at - size, at) };
  });
}

function parameterOf(output: Members, name: string): unknown {
  return (output.get('parameters') as Members | undefined)?.get(name);
}

function headOf(output: Members): Omit<TensorData, 'bytes'> & { readonly datatype: DataType } {
  const datatype = String(output.get('datatype'));
  if (!isDataType(datatype)) throw new Error(`output '${output.get('name')}' has the datatype ${datatype}`);
  return { name: String(output.get('name')), datatype, shape: output.get('shape') as Shape };
}

function jsonOutput(output: Members): TensorData {
  const { name, datatype, shape } = headOf(output);
  const tensor = { name, datatype, shape, modelShape: shape, isOptional: false };
  return readTensor(output.get('data'), tensor, `output '${name}'`);
}

/** ModelInferResponse, as protobufjs has it. */
interface Response {
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly unknown[];
    readonly parameters: Readonly<Record<string, unknown>>;
    readonly contents: Contents | null;
  }[];
  readonly raw_output_contents: readonly Uint8Array[];
}

type Contents = Readonly<Record<string, readonly unknown[]>>;

function messageOutputs({ bytes, start, end }: AnswerBytes): TensorData[] {
  const message = new MessageType('inference.ModelInferResponse').decode(bytes.subarray(start, end));
  const { outputs, raw_output_contents: raw } = message as unknown as Response;
  const sent = outputs.filter(({ parameters }) => !Object.hasOwn(parameters, REGION));
  return sent.map(({ name, datatype, shape, contents }, nth) => {
    if (!isDataType(datatype)) throw new Error(`output '${name}' has the datatype ${datatype}`);
    const content = raw.length > 0 ? raw[nth] : typedContents(contents, datatype);
    if (content === undefined) throw new Error(`output '${name}' has no contents: there are ${raw.length} raw ones`);
    const view = Buffer.from(content.buffer, content.byteOffset, content.length);
    return { name, datatype, shape: shape.map(Number), bytes: view };
  });
}

function typedContents(contents: Contents | null, datatype: DataType): Buffer {
  const elements = Object.values(contents ?? {}).find((list) => Array.isArray(list) && list.length > 0) ?? [];
  if (datatype === 'BYTES') return packStrings(elements as Uint8Array[]);
  return packElements(datatype, elements.map(plain));
}

/** 64-bit integers are Long. */
function plain(element: unknown): FixedElement {
  return typeof element === 'object' ? BigInt(String(element)) : (element as number | boolean);
}
