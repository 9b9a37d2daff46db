import { digitsAt } from './http-request.js';
import { jsonRequest } from './json-request.js';
import type { PreparedRequest } from './prepared-request.js';
import { type RequestForm, sentBytes, sumOfBytes } from './request-settings.js';

const TEXT = 0x81;
const BINARY = 0x82;
const MASKED = 0x80;
const NUMBER_BYTES = 4;
/** Whose bytes change nothing. */
const NO_MASK = [0, 0, 0, 0];

/** A whole frame: text for JSON; binary for the length of the JSON, the JSON and the tensors. */
export function webSocketRequest(form: RequestForm): PreparedRequest {
  const isBinary = form.settings.inputFormat === 'binary';
  return isBinary ? placed(form, BINARY, NUMBER_BYTES) : placed(form, TEXT, 0);
}

function placed(form: RequestForm, opcode: number, numberBytes: number): PreparedRequest {
  const { head, tensors, idAt, sequenceIdAt } = jsonRequest(form);
  const number = Buffer.alloc(numberBytes);
  if (numberBytes > 0) number.writeUInt32LE(head.length);
  const payload = numberBytes + head.length + sumOfBytes(tensors);
  const start = Buffer.concat([frameHead(opcode, payload), number]);
  return {
    bytes: Buffer.concat([start, head, ...tensors]),
    idAt: idAt < 0 ? -1 : start.length + idAt,
    sequenceId: digitsAt(sequenceIdAt, start.length),
    tensorBytes: sumOfBytes(form.step.inputs.map(sentBytes)),
  };
}

/** Of a client's frame (RFC 6455, 5.2). */
function frameHead(opcode: number, payload: number): Buffer {
  if (payload < 126) return Buffer.from([opcode, MASKED | payload, ...NO_MASK]);
  const isLong = payload > 0xffff;
  const length = Buffer.alloc(isLong ? 8 : 2);
  if (isLong) length.writeBigUInt64BE(BigInt(payload));
  else length.writeUInt16BE(payload);
  return Buffer.from([opcode, MASKED | (isLong ? 127 : 126), ...length, ...NO_MASK]);
}
