import { MessageType } from '../../src/protocols/grpc/proto.js';
import { FrameType } from '../../src/transport/http2/wire.js';
import { framed } from '../grpc/messages.js';
import { frame } from '../load/wires/http2/control-frames.js';
import { webSocketFrame } from '../ws/request-template.js';
import type { Way } from './channel.js';
import { STREAM_ID } from './grpc-channel.js';

/** Each step has an id of so many digits, with which its answer comes. */
export const STEP_ID_DIGITS = 8;

/** Ids of sequences have as many digits in JSON, and as many bytes in protobuf, each as the other. */
export const FIRST_SEQUENCE_ID = 10_000_000;
export const LAST_SEQUENCE_ID = 99_999_999;

const NO_ID = '0'.repeat(STEP_ID_DIGITS);

export interface StepTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** What all steps of one kind have in common. */
export interface StepForm {
  readonly model: string;
  /** Null = the model has no sequences. */
  readonly flags: { readonly start: boolean; readonly end: boolean } | null;
  readonly inputs: readonly StepTensor[];
  readonly outputs: readonly string[];
}

/** Steps of one kind as bytes on their connection, but for their ids. The last input is the end of it. */
export class StepTemplate {
  readonly #way: Way;
  readonly #bytes: Buffer;
  readonly #idAt: number;
  /** -1 = there is none. */
  readonly #sequenceIdAt: number;

  constructor(way: Way, form: StepForm) {
    this.#way = way;
    this.#bytes = way === 'grpc' ? grpcStep(form) : webSocketStep(form);
    this.#idAt = this.#bytes.indexOf(NO_ID);
    this.#sequenceIdAt = form.flags === null ? -1 : this.#bytes.indexOf(sequenceIdBytes(way));
    if (this.#idAt < 0 || (form.flags !== null && this.#sequenceIdAt < 0))
      throw new Error('a step has no place for its ids');
  }

  get length(): number {
    return this.#bytes.length;
  }

  write(into: Buffer, at: number, id: number, sequenceId: number): void {
    into.set(this.#bytes, at);
    writeDigits(into, at + this.#idAt, id);
    if (this.#sequenceIdAt < 0) return;
    if (this.#way === 'ws') writeDigits(into, at + this.#sequenceIdAt, sequenceId);
    else writeVarint(into, at + this.#sequenceIdAt, sequenceId);
  }
}

function grpcStep({ model, flags, inputs, outputs }: StepForm): Buffer {
  const message = new MessageType('inference.ModelInferRequest').encode({
    model_name: model,
    id: NO_ID,
    parameters:
      flags === null
        ? {}
        : {
            sequence_id: { int64_param: LAST_SEQUENCE_ID },
            sequence_start: { bool_param: flags.start },
            sequence_end: { bool_param: flags.end },
          },
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    outputs: outputs.map((name) => ({ name })),
    raw_input_contents: inputs.map(({ bytes }) => bytes),
  });
  return frame(FrameType.DATA, 0, STREAM_ID, framed(message));
}

function webSocketStep({ flags, inputs, outputs }: StepForm): Buffer {
  const head = Buffer.from(
    JSON.stringify({
      id: NO_ID,
      ...(flags !== null && {
        parameters: { sequence_id: LAST_SEQUENCE_ID, sequence_start: flags.start, sequence_end: flags.end },
      }),
      inputs: inputs.map(({ name, datatype, shape, bytes }) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: bytes.length },
      })),
      outputs: outputs.map((name) => ({ name, parameters: { binary_data: true } })),
    }),
  );
  return webSocketFrame(head.length, Buffer.concat([head, ...inputs.map(({ bytes }) => bytes)]));
}

function sequenceIdBytes(way: Way): Buffer {
  const bytes = Buffer.alloc(way === 'ws' ? STEP_ID_DIGITS : 4);
  if (way === 'ws') writeDigits(bytes, 0, LAST_SEQUENCE_ID);
  else writeVarint(bytes, 0, LAST_SEQUENCE_ID);
  return bytes;
}

/** Four bytes of seven bits, the least significant first. */
function writeVarint(into: Buffer, at: number, value: number): void {
  for (let nth = 0; nth < 3; nth++) into[at + nth] = ((value >>> (7 * nth)) & 0x7f) | 0x80;
  into[at + 3] = value >>> 21;
}

function writeDigits(into: Buffer, at: number, value: number): void {
  let rest = value;
  for (let digit = STEP_ID_DIGITS - 1; digit >= 0; digit--) {
    into[at + digit] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

export function readDigits(bytes: Buffer, at: number): number {
  let value = 0;
  for (let digit = 0; digit < STEP_ID_DIGITS; digit++) value = value * 10 + bytes[at + digit]! - 0x30;
  return value;
}
