import { ID_DIGITS, type PreparedRequest } from '../../../../bench/load/encode/prepared-request.js';
import type { WireProtocol } from '../../../../bench/load/wires/wire.js';
import { MessageType } from '../../../../src/protocols/grpc/proto.js';
import { encodeRequest } from '../../../protocols/grpc/twin.js';
import { type Kept, prepared } from './recorder.js';

interface Input {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

const ID = '0'.repeat(ID_DIGITS);

/** The request as the wire sends it, all tensors as bytes. */
export function request(protocol: WireProtocol, model: string, inputs: readonly Input[]): PreparedRequest {
  if (protocol === 'http') return httpRequest(model, inputs);
  if (protocol === 'ws') return wsRequest(inputs);
  return grpcRequest(model, inputs, protocol === 'grpc' ? '' : ID);
}

function grpcRequest(model: string, inputs: readonly Input[], id: string): PreparedRequest {
  const parameters = id === '' ? {} : { triton_enable_empty_final_response: { bool_param: true } };
  const message = encodeRequest({
    model_name: model,
    id,
    parameters,
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] })),
    raw_input_contents: inputs.map(({ bytes }) => bytes),
  });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  const bytes = Buffer.concat([prefix, message]);
  return prepared(bytes, { idAt: id === '' ? -1 : bytes.indexOf(id) });
}

function json(inputs: readonly Input[], id: string): Buffer {
  const heads = inputs.map(({ name, datatype, shape, bytes }) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: bytes.length },
  }));
  const parameters = { binary_data_output: true, ...(id === '' ? {} : { triton_enable_empty_final_response: true }) };
  return Buffer.from(JSON.stringify({ ...(id === '' ? {} : { id }), inputs: heads, parameters }));
}

function httpRequest(model: string, inputs: readonly Input[]): PreparedRequest {
  const head = json(inputs, '');
  const body = Buffer.concat([head, ...inputs.map(({ bytes }) => bytes)]);
  const lines = [`POST /v2/models/${model}/infer HTTP/1.1`, 'Host: 127.0.0.1', `Content-Length: ${body.length}`];
  const text = [...lines, `Inference-Header-Content-Length: ${head.length}`, '\r\n'].join('\r\n');
  return prepared(Buffer.concat([Buffer.from(text), body]));
}

function wsRequest(inputs: readonly Input[]): PreparedRequest {
  const head = json(inputs, ID);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  const payload = Buffer.concat([length, head, ...inputs.map(({ bytes }) => bytes)]);
  const frameHead = Buffer.alloc(14);
  frameHead.writeUInt16BE(0x82ff, 0);
  frameHead.writeUInt32BE(payload.length, 6);
  const bytes = Buffer.concat([frameHead, payload]);
  return prepared(bytes, { idAt: bytes.indexOf(ID) });
}

/** `simple`: OUTPUT0 is the sum of the two, in each of 16 places. */
export function simpleRequest(protocol: WireProtocol, a: number, b: number, model = 'simple'): PreparedRequest {
  const input = (name: string, value: number) => ({
    name,
    datatype: 'INT32',
    shape: [1, 16],
    bytes: Buffer.from(new Int32Array(16).fill(value).buffer),
  });
  return request(protocol, model, [input('INPUT0', a), input('INPUT1', b)]);
}

/** The bytes of all outputs, one behind the other. */
export function outputBytes(protocol: WireProtocol, { body, jsonBytes }: Kept): Buffer {
  if (protocol === 'http' || protocol === 'ws') return jsonBytes < 0 ? Buffer.alloc(0) : body.subarray(jsonBytes);
  const response = new MessageType('inference.ModelInferResponse').decode(body) as { raw_output_contents?: Buffer[] };
  return Buffer.concat(response.raw_output_contents ?? []);
}
