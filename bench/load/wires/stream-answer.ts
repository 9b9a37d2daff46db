import { ID_DIGITS } from '../encode/prepared-request.js';
import { FieldCursor } from './field-cursor.js';
import { idAt } from './slot-ids.js';

/** grpc_service.proto: fields of ModelStreamInferResponse. */
const ERROR_MESSAGE = 1;
const INFER_RESPONSE = 2;
/** Of ModelInferResponse. */
const ID = 3;
const PARAMETERS = 4;
const OUTPUTS = 5;
/** Of an entry of its parameters, and of InferParameter. */
const KEY = 1;
const VALUE = 2;
const BOOL_PARAM = 1;

const FINAL_RESPONSE = Buffer.from('triton_final_response');

/** What a message of ModelStreamInfer says about itself; one object reads any number of them. */
export class StreamAnswer {
  /** -1 = none, or none of ours. */
  id = -1;
  /** '' = all is well. */
  error = '';
  /** The ModelInferResponse, in the bytes of the message. */
  start = 0;
  end = 0;
  /** The parameter `triton_final_response` is true. */
  isFinal = false;
  hasOutputs = false;
  readonly #message = new FieldCursor();
  readonly #response = new FieldCursor();
  readonly #entry = new FieldCursor();
  readonly #value = new FieldCursor();

  read(bytes: Buffer, start: number, end: number): void {
    this.id = -1;
    this.error = '';
    this.start = end;
    this.end = end;
    this.isFinal = false;
    this.hasOutputs = false;
    const message = this.#message;
    message.begin(bytes, start, end);
    while (message.next()) {
      if (message.field === ERROR_MESSAGE) this.error = bytes.toString('utf8', message.start, message.end);
      else if (message.field === INFER_RESPONSE) this.#readResponse(bytes, message.start, message.end);
    }
  }

  #readResponse(bytes: Buffer, start: number, end: number): void {
    this.start = start;
    this.end = end;
    const response = this.#response;
    response.begin(bytes, start, end);
    while (response.next()) {
      if (response.field === ID)
        this.id = response.end - response.start === ID_DIGITS ? idAt(bytes, response.start) : -1;
      else if (response.field === PARAMETERS) this.#readEntry(bytes, response.start, response.end);
      else if (response.field === OUTPUTS) this.hasOutputs = true;
    }
  }

  #readEntry(bytes: Buffer, start: number, end: number): void {
    const entry = this.#entry;
    let isWanted = false;
    let isTrue = false;
    entry.begin(bytes, start, end);
    while (entry.next()) {
      if (entry.field === KEY) {
        isWanted = FINAL_RESPONSE.compare(bytes, entry.start, entry.end) === 0;
      } else if (entry.field === VALUE) {
        isTrue = this.#isTrue(bytes, entry.start, entry.end);
      }
    }
    if (isWanted) this.isFinal = isTrue;
  }

  #isTrue(bytes: Buffer, start: number, end: number): boolean {
    const value = this.#value;
    value.begin(bytes, start, end);
    while (value.next()) if (value.field === BOOL_PARAM) return value.value === 1;
    return false;
  }
}
