import type { Model } from '../../core/model.js';
import type { ModelRequest, Responder } from '../../core/model-request.js';
import { asServerError, invalid, type ServerError } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { type JsonPool, LARGE_JSON_BYTES } from '../json-pool.js';
import { jsonTensorBytes, readJsonTensor } from '../json-tensor.js';
import { additionalBytes, checkBodySize, checkJsonSize, checkTensorBytes, headBytesOf } from './body-checks.js';
import { compress, decompress } from './compress.js';
import { chooseEncoding, type Encoding } from './encoding.js';
import type { BodySink, ExchangeOwner, HttpExchange } from './engine.js';
import type { HeadCache, PreparedHead } from './head-cache.js';
import { WHOLE_BODY } from './header-length.js';
import { buildReply, type InferReply } from './infer-reply.js';
import { hasLargeJson, readLargeJson, writeLargeJson } from './large-json.js';
import { rawContent, rawHead } from './raw-request.js';
import { replyError } from './reply.js';
import { Scatter } from './scatter.js';

/** Binary bodies beyond this are written to their slot as they come in; smaller ones when they are complete. */
const STREAMED_BYTES = 64 * 1024;
const LARGEST_COPIED_REPLY = 64 * 1024;

/** What a call needs of the endpoint that owns it. */
export interface InferHost {
  readonly limits: { readonly maxInputBytes: number };
  readonly budget: BodyBudget;
  readonly pool: JsonPool;
  headerLength(text: string, bodyBytes: number): number;
  cacheOf(model: Model): HeadCache;
  /** The call has no exchange and no request any more. */
  recycle(call: InferCall): void;
}

/**
 * whole: the body is needed complete. head: a large binary body whose head is not complete. tensors: its tensors are written to
 * their slot as they come. working: decompression, execution or compression. done: answered or given up.
 */
type CallState = 'whole' | 'head' | 'tensors' | 'working' | 'done';

/** One inference over HTTP, from its head to the last byte of its answer. Pooled; belongs to one exchange at a time. */
export class InferCall implements BodySink, ExchangeOwner, Responder {
  readonly #endpoint: InferHost;
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

  constructor(endpoint: InferHost) {
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
      if (hasLargeJson(request)) void this.#sendLarge(request);
      else this.#sendReply(exchange, request, buildReply(request, prepared));
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
    this.#contentEncoding = contentCoding(exchange.header('content-encoding'));
    this.#replyEncoding = chooseEncoding(exchange.header('accept-encoding'));
    const streams = this.#headerLength > 0 && this.#contentEncoding === '' && isLong(announced);
    this.#state = streams ? 'head' : 'whole';
    const { maxInputBytes } = this.#endpoint.limits;
    if (this.#headerLength > 0) checkJsonSize(this.#headerLength, maxInputBytes);
    else if (this.#contentEncoding === '' && announced > 0) checkBodySize(announced, this.#headerLength, maxInputBytes);
  }

  #takeWhole(chunk: Uint8Array, last: boolean): void {
    if (last && this.#body.length === 0) {
      this.#decode(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      return;
    }
    this.#body.append(chunk);
    if (this.#headerLength <= 0 && this.#contentEncoding === '')
      checkBodySize(this.#body.length, this.#headerLength, this.#endpoint.limits.maxInputBytes);
    if (last) this.#decode(this.#body.view);
  }

  #decode(body: Buffer): void {
    if (this.#contentEncoding === '') {
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
    const headBytes = headBytesOf(body.length, this.#headerLength);
    if (headBytes > LARGE_JSON_BYTES) {
      void this.#takeLarge(body, headBytes);
      return;
    }
    this.#takeComplete(this.#endpoint.cacheOf(this.#model).prepare(body, headBytes), body, headBytes);
  }

  /** The client may go while another thread reads: what comes then is nobody's. */
  async #takeLarge(body: Buffer, headBytes: number): Promise<void> {
    const use = this.#use;
    const check = (prepared: PreparedHead) => this.#checkRest(prepared, body.length - headBytes);
    try {
      const large = await readLargeJson(this.#endpoint.pool, this.#model, body, headBytes, check, this);
      if (use !== this.#use) {
        large.request.abandon();
        return;
      }
      this.#prepared = large.prepared;
      this.#request = large.request;
      this.#submit();
    } catch (error) {
      if (use === this.#use) this.#replyError(error);
    }
  }

  #takeComplete(prepared: PreparedHead, body: Buffer, headBytes: number): void {
    this.#checkRest(prepared, body.length - headBytes);
    this.#admit(prepared, sizesOf(prepared, body));
    this.#scatter.begin(this.#request!, prepared);
    this.#scatter.write(body, headBytes);
    this.#readJson(prepared, body);
    this.#submit();
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
    if (this.#scatter.write(chunk, at) > 0) throw additionalBytes(this.#model.name);
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

  #checkRest(prepared: PreparedHead, bytes: number): void {
    checkTensorBytes(prepared, bytes, this.#headerLength, this.#model.name);
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

  /** Another thread reads the outputs: they are released when it has, also where the client is gone by then. */
  async #sendLarge(request: ModelRequest): Promise<void> {
    const use = this.#use;
    this.#request = null;
    try {
      const reply = await writeLargeJson(this.#endpoint.pool, request);
      if (use === this.#use) this.#sendReply(this.#exchange!, request, reply);
    } catch (error) {
      if (use === this.#use) this.#replyError(error);
    } finally {
      request.release();
    }
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

/** '' = none. Codings are compared in any case (RFC 9110, 8.4.1). */
function contentCoding(header: string): string {
  if (header === '') return '';
  const coding = header.trim().toLowerCase();
  return coding === 'identity' ? '' : coding;
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
