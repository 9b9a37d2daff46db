import { WireWriter } from '../../../src/protocols/grpc/wire-writer.js';
import type { ParameterValue } from '../data/data-set.js';
import type { RegionPlace, TensorSource } from '../target/target.js';
import { ID_DIGITS, type PreparedRequest, SEQUENCE_ID_VARINT_BYTES } from './prepared-request.js';
import { hasId, isFirst, isLast, parametersOf, type RequestForm, sentBytes, sumOfBytes } from './request-settings.js';

/** Fields of ModelInferRequest (grpc_service.proto). */
const MODEL_NAME = 1;
const MODEL_VERSION = 2;
const ID = 3;
const PARAMETERS = 4;
const INPUTS = 5;
const OUTPUTS = 6;
const RAW_INPUT_CONTENTS = 7;

/** Of InferInputTensor and InferRequestedOutputTensor. */
const NAME = 1;
const DATATYPE = 2;
const SHAPE = 3;
const INPUT_PARAMETERS = 4;
const OUTPUT_PARAMETERS = 2;

/** Of an entry of a map, and of the InferParameter in it. */
const KEY = 1;
const VALUE = 2;
const BOOL = 1;
const INT64 = 2;
const STRING = 3;
const DOUBLE = 4;
const UINT64 = 5;

/** Flag of compression, and length (gRPC over HTTP/2, Length-Prefixed-Message). */
const PREFIX_BYTES = 5;

/** A ModelInferRequest with raw contents behind its prefix. */
export function grpcRequest(form: RequestForm): PreparedRequest {
  const { protocol, model, settings, step, place } = form;
  const writer = new WireWriter().string(MODEL_NAME, model.name).string(MODEL_VERSION, settings.modelVersion);
  let idAt = -1;
  let sequenceIdAt = -1;
  if (hasId(protocol)) idAt = endOf(writer.string(ID, '0'.repeat(ID_DIGITS))) - ID_DIGITS;
  if (place !== null) {
    sequenceIdAt = endOf(writer.bytes(PARAMETERS, sequenceIdEntry())) - SEQUENCE_ID_VARINT_BYTES;
    writer.bytes(PARAMETERS, entry('sequence_start', isFirst(place)));
    writer.bytes(PARAMETERS, entry('sequence_end', isLast(place)));
  }
  for (const [name, value] of parametersOf(form)) writer.bytes(PARAMETERS, entry(name, value));
  for (const input of step.inputs) writer.bytes(INPUTS, inputMessage(input));
  for (const { name } of model.outputs) writer.bytes(OUTPUTS, outputMessage(name, settings.outputPlaces.get(name)));
  const tensors = step.inputs.filter((input) => !('place' in input)).map(sentBytes);
  for (const tensor of tensors) writer.bytes(RAW_INPUT_CONTENTS, tensor);
  return {
    bytes: prefixed(writer.view),
    idAt: idAt < 0 ? -1 : PREFIX_BYTES + idAt,
    sequenceId: sequenceIdAt < 0 ? null : { form: 'varint', at: PREFIX_BYTES + sequenceIdAt },
    tensorBytes: sumOfBytes(tensors),
  };
}

function endOf(writer: WireWriter): number {
  return writer.view.length;
}

function prefixed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Ends with the id, 0 in as many bytes as the largest one takes. */
function sequenceIdEntry(): Buffer {
  const id = Buffer.alloc(SEQUENCE_ID_VARINT_BYTES, 0x80);
  id[SEQUENCE_ID_VARINT_BYTES - 1] = 0;
  const tag = Buffer.from([INT64 << 3]);
  return new WireWriter().string(KEY, 'sequence_id').bytes(VALUE, Buffer.concat([tag, id])).view;
}

function inputMessage(input: TensorSource): Buffer {
  const writer = new WireWriter().string(NAME, input.name).string(DATATYPE, input.datatype).int64s(SHAPE, input.shape);
  if ('place' in input) writePlace(writer, INPUT_PARAMETERS, input.place);
  return writer.view;
}

function outputMessage(name: string, place: RegionPlace | undefined): Buffer {
  const writer = new WireWriter().string(NAME, name);
  if (place !== undefined) writePlace(writer, OUTPUT_PARAMETERS, place);
  return writer.view;
}

function writePlace(writer: WireWriter, field: number, { region, offset, bytes }: RegionPlace): void {
  writer.bytes(field, entry('shared_memory_region', region)).bytes(field, entry('shared_memory_byte_size', bytes));
  if (offset > 0) writer.bytes(field, entry('shared_memory_offset', offset));
}

function entry(name: string, value: ParameterValue): Buffer {
  return new WireWriter().string(KEY, name).bytes(VALUE, parameter(value)).view;
}

/** Whole numbers are `int64_param`; beyond its range `uint64_param`. */
function parameter(value: ParameterValue): Buffer {
  const writer = new WireWriter();
  if (typeof value === 'boolean') return writer.bool(BOOL, value).view;
  // Not `string`, which leaves out an empty one: then it would be of no kind.
  if (typeof value === 'string') return writer.bytes(STRING, Buffer.from(value)).view;
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return writer.double(DOUBLE, value).view;
  return writer.int64(value >= 2n ** 63n ? UINT64 : INT64, value).view;
}
