import type { ModelRequest } from '../../core/model-request.js';
import { copyWords } from '../../memory/copy.js';
import { LARGE_TENSOR_BYTES } from '../json-pool.js';
import { JsonReplyTemplate, type ReplyTensor } from '../v2-json-reply.js';
import type { HttpExchange } from './engine.js';
import { replyBytes } from './reply.js';

/** Answers up to this size are put together in one piece, because the socket copies them anyway; larger ones are sent as views. */
const WHOLE_BYTES = 16 * 1024;

export const JSON_ONLY: readonly string[] = ['Content-Type', 'application/json'];

/** @param headBytes of the JSON in front of the tensors */
export function binaryHeaders(headBytes: number): readonly string[] {
  return ['Content-Type', 'application/octet-stream', 'Inference-Header-Content-Length', String(headBytes)];
}

/** The answer to all requests with one head, where shapes and forms of the outputs never differ. */
export interface PreparedReply {
  /**
   * True = it is sent and the outputs are free; false = views are on their way: the request must be held until the exchange ends.
   */
  send(exchange: HttpExchange, request: ModelRequest): boolean;
}

/**
 * Prepares what `outputs` of `request` are an example of; null = answers can differ in more than the elements of their tensors.
 * @param head the JSON part of this answer
 */
export function prepareReply(
  request: ModelRequest,
  outputs: readonly ReplyTensor[],
  head: Uint8Array,
  headers: readonly string[],
): PreparedReply | null {
  if (!request.hasFixedOutputs) return null;
  const tensorBytes = outputs.reduce((sum, output) => sum + output.bytes.length, 0);
  if (outputs.every(({ binary }) => !binary))
    return tensorBytes <= LARGE_TENSOR_BYTES ? new JsonReply(request, outputs) : null;
  if (!outputs.every(({ binary }) => binary)) return null;
  const bytes = head.length + tensorBytes;
  return bytes <= WHOLE_BYTES ? new WholeReply(head, headers, bytes) : new ViewsReply(head, headers);
}

/** Head and tensors one behind the other, in memory of its own that holds the head from the first answer on. */
class WholeReply implements PreparedReply {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly #headers: readonly string[];
  /** A multiple of four, so that tensors can be copied in words. */
  readonly #tensorBegin: number;
  readonly #whole: Uint8Array;

  /** @param bytes of head and tensors together */
  constructor(head: Uint8Array, headers: readonly string[], bytes: number) {
    this.#headers = headers;
    this.#tensorBegin = Math.ceil(head.length / 4) * 4;
    const headBegin = this.#tensorBegin - head.length;
    this.words = new Int32Array(Math.ceil((headBegin + bytes) / 4));
    this.bytes = new Uint8Array(this.words.buffer);
    this.bytes.set(head, headBegin);
    this.#whole = this.bytes.subarray(headBegin, headBegin + bytes);
  }

  send(exchange: HttpExchange, request: ModelRequest): boolean {
    const { arena } = request.model;
    let at = this.#tensorBegin;
    for (let nth = 0; nth < request.plan.outputs.length; nth++) {
      const bytes = request.outputBytes(nth);
      copyWords(arena, request.outputBegin(nth), this, at, bytes);
      at += bytes;
    }
    exchange.reply(200, this.#headers, this.#whole);
    return true;
  }
}

class ViewsReply implements PreparedReply {
  readonly #head: Uint8Array;
  readonly #headers: readonly string[];

  constructor(head: Uint8Array, headers: readonly string[]) {
    this.#head = head;
    this.#headers = headers;
  }

  send(exchange: HttpExchange, request: ModelRequest): boolean {
    const parts = [this.#head];
    for (let nth = 0; nth < request.plan.outputs.length; nth++) {
      const begin = request.outputBegin(nth);
      parts.push(request.model.arena.bytes.subarray(begin, begin + request.outputBytes(nth)));
    }
    exchange.send(200, this.#headers, parts);
    return false;
  }
}

class JsonReply implements PreparedReply {
  readonly #template: JsonReplyTemplate;

  constructor({ plan, model }: ModelRequest, outputs: readonly ReplyTensor[]) {
    this.#template = new JsonReplyTemplate(plan.head.id, model.name, String(model.version), outputs);
  }

  send(exchange: HttpExchange, request: ModelRequest): boolean {
    const template = this.#template;
    template.begin();
    for (let nth = 0; nth < request.plan.outputs.length; nth++) {
      const begin = request.outputBegin(nth);
      template.output(nth, request.model.arena.bytes, begin, begin + request.outputBytes(nth));
    }
    const text = template.end();
    replyBytes(exchange, 200, JSON_ONLY, text);
    return true;
  }
}
