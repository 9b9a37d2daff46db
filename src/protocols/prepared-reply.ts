import type { InferResponse } from '../core/infer-response.js';
import { copyWords } from '../memory/copy.js';
import { LARGE_TENSOR_BYTES } from './json-pool.js';
import { inferResponseStart, JsonReplyTemplate, type ReplyTensor } from './v2-json-reply.js';

/** Answers up to this size are put together in one piece, because the socket copies them anyway; larger ones are sent as views. */
const WHOLE_BYTES = 16 * 1024;

/** Room for an id in front of such an answer. */
const START_BYTES = 256;

/** Instead of the bytes of JSON: there is nothing else. */
export const JSON_ALONE = -1;

/** Takes one answer, in the form of its protocol. */
export interface ReplySink {
  /** JSON alone. Up to 64 KiB may be reused when it returns; a longer text is the sink's. */
  sendText(text: Uint8Array): void;
  /** JSON of `headBytes` bytes and tensors behind it, which may be reused when it returns. */
  sendTensors(headBytes: number, bytes: Uint8Array): void;
  /** The same as views, which are valid until the request is released. @param headBytes may be JSON_ALONE */
  sendViews(headBytes: number, parts: readonly Uint8Array[]): void;
}

/** The answer to all requests with one head, where shapes and forms of the outputs never differ. */
export interface PreparedReply {
  /** True = it is sent and the outputs are free; false = views are on their way: the request must be held until they are sent. */
  send(sink: ReplySink, response: InferResponse, id: string): boolean;
}

/**
 * Prepares what `outputs` of `response` are an example of; null = answers can differ in more than the elements of their tensors, or have some of
 * these elsewhere.
 * @param rest the JSON part of this answer without its start (`inferResponseStart`)
 */
export function prepareReply(
  response: InferResponse,
  outputs: readonly ReplyTensor[],
  rest: Uint8Array,
): PreparedReply | null {
  if (!response.hasFixedOutputs || response.plan.usesRegions) return null;
  const tensorBytes = outputs.reduce((sum, output) => sum + output.bytes.length, 0);
  if (outputs.every(({ binary }) => !binary))
    return tensorBytes <= LARGE_TENSOR_BYTES ? new JsonReply(response, outputs) : null;
  if (!outputs.every(({ binary }) => binary)) return null;
  const bytes = rest.length + tensorBytes;
  return bytes <= WHOLE_BYTES ? new WholeReply(rest, bytes) : new ViewsReply(rest);
}

/**
 * Head and tensors one behind the other, in memory of its own that holds the rest of the head from the first answer on.
 *
 *     | room | start: {"id":"7", | rest: "model_name":...} | tensors |
 *            begin               restBegin                 tensorBegin
 */
class WholeReply implements PreparedReply {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly #restBegin: number;
  /** A multiple of four, so that tensors can be copied in words. */
  readonly #tensorBegin: number;
  readonly #end: number;
  /** Of the answer before. */
  #id: string;
  #begin = 0;
  #whole!: Uint8Array;

  /** @param bytes of `rest` and tensors together */
  constructor(rest: Uint8Array, bytes: number) {
    this.#tensorBegin = Math.ceil((START_BYTES + rest.length) / 4) * 4;
    this.#restBegin = this.#tensorBegin - rest.length;
    this.#end = this.#restBegin + bytes;
    this.words = new Int32Array(Math.ceil(this.#end / 4));
    this.bytes = new Uint8Array(this.words.buffer);
    this.bytes.set(rest, this.#restBegin);
    this.#id = '';
    this.#writeStart('');
  }

  send(sink: ReplySink, response: InferResponse, id: string): boolean {
    const { arena } = response.model;
    if (id !== this.#id && !this.#writeStart(id)) return this.#sendLong(sink, response, id);
    let at = this.#tensorBegin;
    for (let nth = 0; nth < response.plan.outputs.length; nth++) {
      const bytes = response.outputBytes(nth);
      copyWords(arena, response.outputBegin(nth), this, at, bytes);
      at += bytes;
    }
    sink.sendTensors(this.#tensorBegin - this.#begin, this.#whole);
    return true;
  }

  /** False = it has no room. */
  #writeStart(id: string): boolean {
    const start = inferResponseStart(id);
    if (start.length > this.#restBegin) return false;
    this.#id = id;
    const begin = this.#restBegin - start.length;
    this.bytes.set(start, begin);
    if (begin === this.#begin) return true;
    this.#begin = begin;
    this.#whole = this.bytes.subarray(begin, this.#end);
    return true;
  }

  #sendLong(sink: ReplySink, response: InferResponse, id: string): boolean {
    const head = Buffer.concat([inferResponseStart(id), this.bytes.subarray(this.#restBegin, this.#tensorBegin)]);
    sink.sendTensors(head.length, Buffer.concat([head, ...outputViews(response)]));
    return true;
  }
}

class ViewsReply implements PreparedReply {
  readonly #rest: Uint8Array;

  constructor(rest: Uint8Array) {
    this.#rest = rest;
  }

  send(sink: ReplySink, response: InferResponse, id: string): boolean {
    const head = Buffer.concat([inferResponseStart(id), this.#rest]);
    sink.sendViews(head.length, [head, ...outputViews(response)]);
    return false;
  }
}

class JsonReply implements PreparedReply {
  readonly #template: JsonReplyTemplate;

  constructor({ model }: InferResponse, outputs: readonly ReplyTensor[]) {
    this.#template = new JsonReplyTemplate(model.name, String(model.version), outputs);
  }

  send(sink: ReplySink, response: InferResponse, id: string): boolean {
    const template = this.#template;
    template.begin(id);
    for (let nth = 0; nth < response.plan.outputs.length; nth++) {
      const begin = response.outputBegin(nth);
      template.output(nth, response.model.arena.bytes, begin, begin + response.outputBytes(nth));
    }
    sink.sendText(template.end());
    return true;
  }
}

/** The bytes of all outputs, in the order of the plan. Valid until the response is released. */
export function outputViews(response: InferResponse): Uint8Array[] {
  return response.plan.outputs.map((_, nth) => {
    const begin = response.outputBegin(nth);
    return response.model.arena.bytes.subarray(begin, begin + response.outputBytes(nth));
  });
}
