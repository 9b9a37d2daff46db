import type { Model } from '../../core/model.js';
import type { ModelRequest, Responder } from '../../core/model-request.js';
import type { InferenceServer } from '../../core/server.js';
import { asServerError, invalid, type ServerError } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { jsonTensorBytes, readJsonTensor } from '../json-tensor.js';
import { compress, decompress } from './compress.js';
import { chooseEncoding, type Encoding } from './encoding.js';
import type { BodySink, ExchangeOwner, HttpExchange } from './engine.js';
import { HeadCache, type PreparedHead } from './head-cache.js';
import { parseHeaderLength, WHOLE_BODY } from './header-length.js';
import { buildReply, type InferReply } from './infer-reply.js';
import { rawContent, rawHead } from './raw-request.js';
import { replyError } from './reply.js';
import { Scatter } from './scatter.js';

/** Binary bodies beyond this are written to their slot as they come in; smaller ones when they are complete. */
const STREAMED_BYTES = 64 * 1024;
const LARGEST_COPIED_REPLY = 64 * 1024;

export interface InferLimits {
  /** `--http-max-input-size`: JSON heads, JSON tensors, raw and decompressed bodies. */
  readonly maxInputBytes: number;
}

/** `POST /v2/models/NAME[/versions/N]/infer`: makes a call of each exchange, from a pool. */
export class InferEndpoint {
  readonly server: InferenceServer;
  readonly limits: InferLimits;
  readonly budget: BodyBudget;
  readonly #caches = new WeakMap<Model, HeadCache>();
  readonly #idle: InferCall[] = [];
  #headerLengthText = '';
  #headerLength = WHOLE_BODY;

  constructor(server: InferenceServer, limits: InferLimits, budget: BodyBudget) {
    this.server = server;
    this.limits = limits;
    this.budget = budget;
  }

  /** `parseHeaderLength`, which costs more than a comparison with the text before. */
  headerLength(text: string, bodyBytes: number): number {
    if (text === this.#headerLengthText) return this.#headerLength;
    this.#headerLength = parseHeaderLength(text, bodyBytes);
    this.#headerLengthText = text;
    return this.#headerLength;
  }

  handle(exchange: HttpExchange, name: string, version: string): void {
    const model = this.server.find(name, version);
    const call = this.#idle.pop() ?? new InferCall(this);
    call.start(exchange, model);
  }

  cacheOf(model: Model): HeadCache {
    let cache = this.#caches.get(model);
    if (cache === undefined) {
      cache = new HeadCache(model);
      this.#caches.set(model, cache);
    }
    return cache;
  }

  /** The call has no exchange and no request any more. */
  recycle(call: InferCall): void {
    this.#idle.push(call);
  }
}

/**
 * whole: the body is needed complete. head: a large binary body whose head is not complete. tensors: its tensors are written to
 * their slot as they come. working: decompression, execution or compression. done: answered or given up.
 */
type CallState = 'whole' | 'head' | 'tensors' | 'working' | 'done';

/** One inference over HTTP, from its head to the last byte of its answer. Pooled; belongs to one exchange at a time. */
class InferCall implements BodySink, ExchangeOwner, Responder {
  readonly #endpoint: InferEndpoint;
  readonly #body: BodyBuffer;
  readonly #scatter = new Scatter();
  #exchange: HttpExchange | null = null;
  #model!: Model;
  #state: CallState = 'done';
  #headerLength = WHOLE_BODY;
  #contentEncoding = '';
  #replyEncoding: Encoding = 'identity';
  #prepared: PreparedHead | null = null;
  #request: ModelRequest | null = null;
  /** Grows with each use, so that an answer of zlib for an earlier one is known as such. */
  #use = 0;

  constructor(endpoint: InferEndpoint) {
    this.#endpoint = endpoint;
    this.#body = new BodyBuffer(endpoint.budget);
  }

  start(exchange: HttpExchange, model: Model): void {
    this.#exchange = exchange;
    this.#model = model;
    this.#use++;
    exchange.owner = this;
    try {
      this.#readHeaders(exchange);
    } catch (error) {
      this.#replyError(error);
      return;
    }
    exchange.readBody(this);
  }

  onChunk(exchange: HttpExchange, chunk: Uint8Array, last: boolean): void {
    if (exchange !== this.#exchange || this.#state === 'done' || this.#state === 'working') return;
    try {
      if (this.#state === 'whole') this.#takeWhole(chunk, last);
      else if (this.#state === 'head') this.#takeHead(chunk, last);
      else this.#takeTensors(chunk, 0, last);
    } catch (error) {
      this.#replyError(error);
    }
  }

  onSent(): void {
    this.#finish();
  }

  onAborted(): void {
    const request = this.#request;
    this.#request = null;
    this.#finish();
    request?.cancel();
    request?.release();
  }

  onResponse(request: ModelRequest): void {
    const exchange = this.#exchange!;
    const prepared = this.#prepared!;
    try {
      if (prepared.reply !== null && this.#replyEncoding === 'identity') {
        if (prepared.reply.send(exchange, request)) request.release();
        return;
      }
      this.#sendReply(exchange, request, buildReply(request, prepared));
    } catch (error) {
      request.release();
      this.#replyError(error);
    }
  }

  onError(_request: ModelRequest, error: ServerError): void {
    this.#request = null;
    this.#replyError(error);
  }

  #readHeaders(exchange: HttpExchange): void {
    const announced = exchange.contentLength;
    this.#headerLength = this.#endpoint.headerLength(exchange.header('inference-header-content-length'), announced);
    this.#contentEncoding = exchange.header('content-encoding');
    this.#replyEncoding = chooseEncoding(exchange.header('accept-encoding'));
    const streams = this.#headerLength > 0 && this.#contentEncoding === '' && isLong(announced);
    this.#state = streams ? 'head' : 'whole';
    if (this.#headerLength > 0) this.#checkJsonSize(this.#headerLength);
    else if (this.#contentEncoding === '' && announced > 0) this.#checkInputSize(announced);
  }

  #takeWhole(chunk: Uint8Array, last: boolean): void {
    if (last && this.#body.length === 0) {
      this.#decode(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      return;
    }
    this.#body.append(chunk);
    if (this.#headerLength <= 0 && this.#contentEncoding === '') this.#checkInputSize(this.#body.length);
    if (last) this.#decode(this.#body.view);
  }

  #decode(body: Buffer): void {
    if (this.#contentEncoding === '' || this.#contentEncoding === 'identity') {
      this.#takeBody(body);
      return;
    }
    const use = this.#use;
    this.#state = 'working';
    decompress(this.#contentEncoding, body, this.#endpoint.limits.maxInputBytes, (error, bytes) => {
      if (use !== this.#use) return;
      try {
        if (error !== null) throw error;
        this.#takeBody(bytes);
      } catch (failure) {
        this.#replyError(failure);
      }
    });
  }

  /** The body is complete and plain. */
  #takeBody(body: Buffer): void {
    this.#state = 'working';
    if (this.#headerLength === 0 || (this.#headerLength === WHOLE_BODY && body.length === 0)) {
      const content = rawContent(this.#model, body);
      this.#takeComplete(rawHead(this.#model, content.length), content, 0);
      return;
    }
    const headBytes = this.#headBytes(body.length);
    this.#takeComplete(this.#endpoint.cacheOf(this.#model).prepare(body, headBytes), body, headBytes);
  }

  #takeComplete(prepared: PreparedHead, body: Buffer, headBytes: number): void {
    this.#checkRest(prepared, body.length - headBytes);
    this.#admit(prepared, sizesOf(prepared, body));
    this.#scatter.begin(this.#request!, prepared);
    this.#scatter.write(body, headBytes);
    this.#readJson(prepared, body);
    this.#submit();
  }

  #headBytes(bodyBytes: number): number {
    if (this.#headerLength === WHOLE_BODY) return bodyBytes;
    if (this.#headerLength <= bodyBytes) return this.#headerLength;
    throw invalid(`inference header size should be in range (0, ${bodyBytes}), got: ${this.#headerLength}`);
  }

  #takeHead(chunk: Uint8Array, last: boolean): void {
    const before = this.#body.length;
    const rest = Math.max(0, Math.min(chunk.length, this.#headerLength - before));
    this.#body.append(chunk.subarray(0, rest));
    if (this.#body.length < this.#headerLength) {
      if (last)
        throw invalid(
          `unexpected size for request JSON, expecting ${this.#headerLength - this.#body.length} more bytes`,
        );
      return;
    }
    const prepared = this.#endpoint.cacheOf(this.#model).prepare(this.#body.view, this.#headerLength);
    if (this.#exchange!.contentLength >= 0)
      this.#checkRest(prepared, this.#exchange!.contentLength - this.#headerLength);
    const head = this.#body.view;
    this.#admit(prepared, sizesOf(prepared, head));
    this.#readJson(prepared, head);
    this.#body.clear();
    this.#scatter.begin(this.#request!, prepared);
    this.#state = 'tensors';
    this.#received = 0;
    this.#takeTensors(chunk, rest, last);
  }

  /** Tensor bytes that came in so far. */
  #received = 0;

  #takeTensors(chunk: Uint8Array, at: number, last: boolean): void {
    this.#received += chunk.length - at;
    if (this.#scatter.write(chunk, at) > 0) throw additional(this.#model.name);
    if (!last) return;
    this.#checkRest(this.#prepared!, this.#received);
    this.#state = 'working';
    this.#submit();
  }

  #admit(prepared: PreparedHead, sizes: readonly number[]): void {
    this.#prepared = prepared;
    this.#request = this.#model.admit(prepared.plan, sizes, this);
  }

  #readJson(prepared: PreparedHead, body: Buffer): void {
    const { plan, ranges, binaryBytes } = prepared;
    if (ranges.length === 0) return;
    let range = 0;
    for (let nth = 0; nth < binaryBytes.length; nth++) {
      if (binaryBytes[nth]! >= 0) continue;
      const { head, datatype, elements } = plan.inputs[nth]!;
      const { bytes } = this.#model.arena;
      readJsonTensor(body, ranges[range++]!, head.name, datatype, elements, bytes, this.#request!.inputBegin(nth));
    }
  }

  #submit(): void {
    const request = this.#request!;
    this.#body.clear();
    try {
      request.submit();
    } catch (error) {
      this.#request = null;
      throw error;
    }
  }

  #checkJsonSize(bytes: number): void {
    const { maxInputBytes } = this.#endpoint.limits;
    if (bytes <= maxInputBytes) return;
    throw invalid(
      `request JSON size of ${bytes} bytes exceeds the maximum allowed input size of ${maxInputBytes} bytes. Use --http-max-input-size to increase the limit.`,
    );
  }

  /** A body that is JSON or raw altogether. */
  #checkInputSize(bytes: number): void {
    if (this.#headerLength === WHOLE_BODY) this.#checkJsonSize(bytes);
    const { maxInputBytes } = this.#endpoint.limits;
    if (bytes <= maxInputBytes) return;
    throw invalid(
      `Raw input has a byte_size (${bytes} bytes) that exceeds the maximum allowed value of ${maxInputBytes} bytes. Use --http-max-input-size to increase the limit.`,
    );
  }

  /** What lies behind the head must be what the head says. */
  #checkRest(prepared: PreparedHead, bytes: number): void {
    if (bytes === prepared.bodyBytes) return;
    if (bytes > prepared.bodyBytes) throw additional(this.#model.name);
    let left = bytes;
    for (let nth = 0; nth < prepared.binaryBytes.length; nth++) {
      const size = Math.max(0, prepared.binaryBytes[nth]!);
      if (size > left) throw missing(prepared, nth, size - left, this.#model.name, this.#headerLength);
      left -= size;
    }
  }

  #sendReply(exchange: HttpExchange, request: ModelRequest, reply: InferReply): void {
    if (this.#replyEncoding !== 'identity') {
      this.#compressReply(request, reply);
      return;
    }
    const bytes = reply.parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes > LARGEST_COPIED_REPLY) {
      exchange.send(200, reply.headers, reply.parts);
      return;
    }
    exchange.reply(200, reply.headers, reply.parts.length === 1 ? reply.parts[0]! : Buffer.concat(reply.parts));
    request.release();
  }

  #compressReply(request: ModelRequest, reply: InferReply): void {
    const use = this.#use;
    const encoding = this.#replyEncoding as Exclude<Encoding, 'identity'>;
    const plain = Buffer.concat(reply.parts);
    request.release();
    compress(encoding, plain, (bytes) => {
      if (use !== this.#use) return;
      const headers = bytes === plain ? reply.headers : [...reply.headers, 'Content-Encoding', encoding];
      this.#exchange!.send(200, headers, [bytes]);
    });
  }

  #replyError(error: unknown): void {
    const exchange = this.#exchange!;
    this.#dropRequest();
    this.#state = 'done';
    this.#body.clear();
    replyError(exchange, asServerError(error));
  }

  /** A request that was admitted but cannot be submitted any more. */
  #dropRequest(): void {
    const request = this.#request;
    this.#request = null;
    request?.cancel();
  }

  #finish(): void {
    if (this.#exchange === null) return;
    this.#request?.release();
    this.#request = null;
    this.#prepared = null;
    this.#exchange = null;
    this.#state = 'done';
    this.#use++;
    this.#body.clear();
    this.#endpoint.recycle(this);
  }
}

function isLong(contentLength: number): boolean {
  return contentLength < 0 || contentLength > STREAMED_BYTES;
}

/** Bytes that each input takes in memory: its binary size, its fixed size, or what its JSON strings need. */
function sizesOf(prepared: PreparedHead, body: Buffer): readonly number[] {
  if (prepared.binaryBytes.every((bytes) => bytes >= 0)) return prepared.binaryBytes;
  return prepared.plan.inputs.map(({ head, bytes }) => {
    if (head.source.kind !== 'json') return head.source.byteSize;
    return bytes >= 0 ? bytes : jsonTensorBytes(body, head.source, head.name);
  });
}

function additional(model: string): ServerError {
  return invalid(`unexpected additional input data for model '${model}'`);
}

function missing(prepared: PreparedHead, nth: number, bytes: number, model: string, headerLength: number): ServerError {
  if (headerLength === WHOLE_BODY) {
    return invalid(
      "must specify valid 'Infer-Header-Content-Length' in request header and 'binary_data_size' when passing inputs in binary data format",
    );
  }
  const { name } = prepared.plan.inputs[nth]!.head;
  return invalid(`unexpected size for input '${name}', expecting ${bytes} additional bytes for model '${model}'`);
}
