import type { ParameterValue } from '../data/data-set.js';
import type { RegionPlace, TensorSource } from '../target/target.js';
import { jsonData } from './json-data.js';
import { ID_DIGITS, SEQUENCE_ID_DIGITS } from './prepared-request.js';
import { hasId, isFirst, isLast, parametersOf, type RequestForm, sentBytes } from './request-settings.js';

/** A request of the V2 protocol as JSON, and the bytes behind it. */
export interface JsonRequest {
  readonly head: Buffer;
  /** Tensors as bytes, one behind the other. */
  readonly tensors: readonly Buffer[];
  /** In the head; -1 = there is none. */
  readonly idAt: number;
  /** In the head; -1 = there is none. */
  readonly sequenceIdAt: number;
}

/** Throws a DataError for data that has no JSON. */
export function jsonRequest(form: RequestForm): JsonRequest {
  const isBinary = form.settings.inputFormat === 'binary';
  const start = startOf(form);
  const inputs = form.step.inputs.map((input) => inputText(input, isBinary));
  const rest = `"inputs":[${inputs.join(',')}]${outputsMember(form)}}`;
  return {
    head: Buffer.from(start.text + rest),
    tensors: isBinary ? form.step.inputs.map(sentBytes) : [],
    idAt: start.idAt,
    sequenceIdAt: start.sequenceIdAt,
  };
}

/** The members before the inputs. The places come first, with nothing but ASCII before them, so that bytes are characters. */
function startOf(form: RequestForm): { readonly text: string; readonly idAt: number; readonly sequenceIdAt: number } {
  const { protocol, place } = form;
  let text = '{';
  let idAt = -1;
  let sequenceIdAt = -1;
  if (hasId(protocol)) {
    text += '"id":"';
    idAt = text.length;
    text += `${'0'.repeat(ID_DIGITS)}",`;
  }
  const members = parametersOf(form).map(([name, value]) => `${JSON.stringify(name)}:${valueText(value)}`);
  if (place !== null) {
    text += '"parameters":{"sequence_id":';
    sequenceIdAt = text.length;
    text += '0'.padEnd(SEQUENCE_ID_DIGITS);
    members.unshift('', `"sequence_start":${isFirst(place)}`, `"sequence_end":${isLast(place)}`);
  } else if (members.length > 0) text += '"parameters":{';
  if (members.length > 0) text += `${members.join(',')}},`;
  return { text, idAt, sequenceIdAt };
}

function valueText(value: ParameterValue): string {
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

function inputText(input: TensorSource, isBinary: boolean): string {
  const { name, datatype, shape } = input;
  const head = JSON.stringify({ name, datatype, shape }).slice(0, -1);
  if ('place' in input) return `${head},"parameters":${placeText(input.place)}}`;
  if (isBinary) return `${head},"parameters":{"binary_data_size":${input.bytes.length}}}`;
  return `${head},"data":${jsonData(input)}}`;
}

/** Without outputs in the metadata the request asks for all there are. */
function outputsMember({ model, settings }: RequestForm): string {
  if (model.outputs.length === 0) return '';
  const outputs = model.outputs.map(({ name }) => {
    const place = settings.outputPlaces.get(name);
    const parameters = place === undefined ? `{"binary_data":${settings.outputFormat === 'binary'}}` : placeText(place);
    return `{"name":${JSON.stringify(name)},"parameters":${parameters}}`;
  });
  return `,"outputs":[${outputs.join(',')}]`;
}

function placeText({ region, offset, bytes }: RegionPlace): string {
  return JSON.stringify({
    shared_memory_region: region,
    shared_memory_byte_size: bytes,
    ...(offset > 0 && { shared_memory_offset: offset }),
  });
}
