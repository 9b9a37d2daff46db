import { monotonicUs } from '../../base/clock.js';
import type { InferResponse } from '../../core/infer-response.js';
import type { ClientRegions } from '../../core/regions/client-regions.js';
import type { ServedModel } from '../../core/served-model.js';
import type { Tracing } from '../../telemetry/trace/tracing.js';
import { asServerError, invalid, ServerError } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import {
  additionalBytes,
  checkBodySize,
  checkHeaderLength,
  checkJsonSize,
  checkTensorBytes,
  headBytesOf,
  WHOLE_BODY,
} from '../body-checks.js';
import { BodyInfer } from '../body-infer.js';
import { httpTrace } from '../call-trace.js';
import type { HeadCaches, PreparedHead } from '../head-cache.js';
import type { InferReply } from '../infer-reply.js';
import { type JsonPool, LARGE_JSON_BYTES } from '../json-pool.js';
import { JSON_ALONE } from '../prepared-reply.js';
import { rawContent, rawHead } from '../raw-request.js';
import type { RefusalLog } from '../refusal-log.js';
import { reservedParameter } from '../v2-json-values.js';
import { checkEncoding, compress, decompress } from './compress.js';
import { chooseEncoding, type Encoding } from './encoding.js';
import type { BodySink, ExchangeOwner, HttpExchange } from './engine.js';
import type { InferSettings } from './infer-settings.js';
import { JSON_HEADERS, replyBytes, replyError } from './reply.js';
import { serverTiming } from './server-timing.js';

/** Binary bodies beyond this are written to their slot as they come in; smaller ones when they are complete. */
const STREAMED_BYTES = 64 * 1024;
const LARGEST_COPIED_REPLY = 64 * 1024;

/** What a call needs of the endpoint that owns it. */
export interface InferHost {
  readonly settings: InferSettings;
  readonly budget: BodyBudget;
  readonly pool: JsonPool;
  headerLength(text: string, bodyBytes: number): number;
  readonly heads: HeadCaches;
  readonly refusals: RefusalLog;
  readonly server: {
    readonly regions: ClientRegions;
    readonly tracing: Tracing;
    find(name: string, version: string): ServedModel;
  };
  /** The call has no exchange and no request any more. */
  recycle(call: InferCall): void;
}

/**
 * whole: the body is needed complete. head: a large binary body whose head is not complete. tensors: its tensors are written to
 * their slot as they come. working: decompression, execution or compression. done: answered or given up.
 */
type CallState = 'whole' | 'head' | 'tensors' | 'working' | 'done';

/** One inference over HTTP, from its head to the last byte of its answer. Pooled; belongs to one exchange at a time. */
export class InferCall extends BodyInfer implements BodySink, ExchangeOwner {
  readonly #endpoint: InferHost;
  readonly #body: BodyBuffer;
  #exchange: HttpExchange | null = null;
  /** As the client wrote them. */
  #name = '';
  #version = '';
  #state: CallState = 'done';
  #headerLength = WHOLE_BODY;
  #contentEncoding = '';
  #replyEncoding: Encoding = 'identity';
  /** Of the last answer with tensors: the same again and again. */
  #headers = binaryHeaders(0);
  #headersFor = 0;
  /** Monotonic microseconds, where `--server-timing` asks for them. */
  #startedUs = 0;
  /** '' = there is none. */
  #timing = '';

  constructor(endpoint: InferHost) {
    super(endpoint.pool, endpoint.server.regions);
    this.#endpoint = endpoint;
    this.#body = new BodyBuffer(endpoint.budget);
  }

  /** Throws where there is no such model. */
  start(exchange: HttpExchange, name: string, version: string): void {
    this.model = this.#find(name, version);
    this.#name = name;
    this.#version = version;
    this.#exchange = exchange;
    this.use++;
    exchange.owner = this;
    if (this.#endpoint.settings.serverTiming) this.#startedUs = monotonicUs();
    const { tracing } = this.#endpoint.server;
    if (tracing.isOn) this.callTrace = httpTrace(tracing, exchange, this.model.name);
    try {
      this.#readHeaders(exchange);
    } catch (error) {
      this.fail(error);
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
      this.fail(error);
    }
  }

  onSent(): void {
    this.#finish();
  }

  onAborted(): void {
    this.cancelRequest();
    this.#finish();
  }

  onResponse(response: InferResponse): void {
    this.request = null;
    this.response = response;
    if (this.#endpoint.settings.serverTiming)
      this.#timing = serverTiming(response.explanation, monotonicUs() - this.#startedUs);
    try {
      if (this.#replyEncoding === 'identity' && this.sendPrepared(response)) return;
      if (!this.writesLarge(response)) this.#sendReply(this.build(response));
    } catch (error) {
      this.fail(error);
    }
  }

  onError(error: ServerError): void {
    this.request = null;
    this.#replyError(error);
  }

  sendText(text: Uint8Array): void {
    this.callTrace?.sending();
    replyBytes(this.#exchange!, 200, this.#headersOf(JSON_ALONE), text);
  }

  sendTensors(headBytes: number, bytes: Uint8Array): void {
    this.callTrace?.sending();
    this.#exchange!.reply(200, this.#headersOf(headBytes), bytes);
  }

  sendViews(headBytes: number, parts: readonly Uint8Array[]): void {
    this.callTrace?.sending();
    this.#exchange!.send(200, this.#headersOf(headBytes), parts);
  }

  protected override checkRest(prepared: PreparedHead, bytes: number): void {
    if (prepared.plan.head.emptyFinal !== undefined) throw reservedParameter();
    checkTensorBytes(prepared, bytes, this.#headerLength, this.model.name);
  }

  /** The request is dropped, where there is one that cannot be submitted any more. */
  protected override fail(error: unknown): void {
    this.#endpoint.refusals.note(this.model.name, this.id, error);
    this.cancelRequest();
    this.#replyError(asServerError(error));
  }

  protected override submit(): void {
    this.#body.clear();
    this.request!.isTimed = this.#endpoint.settings.serverTiming;
    super.submit();
  }

  protected override onWritten(reply: InferReply): void {
    this.#sendReply(reply);
  }

  #replyError(error: ServerError): void {
    this.#state = 'done';
    this.#body.clear();
    this.callTrace?.sending();
    replyError(this.#exchange!, error);
  }

  #readHeaders(exchange: HttpExchange): void {
    const { forward } = this.#endpoint.settings;
    if (forward !== null) this.forwarded = forward.ofHttp(exchange);
    const announced = exchange.contentLength;
    this.#headerLength = this.#endpoint.headerLength(exchange.header('inference-header-content-length'), announced);
    this.#contentEncoding = contentCoding(exchange.header('content-encoding'));
    if (this.#contentEncoding !== '') checkEncoding(this.#contentEncoding);
    this.#replyEncoding = chooseEncoding(exchange.header('accept-encoding'));
    const streams = this.#headerLength > 0 && this.#contentEncoding === '' && isLong(announced);
    this.#state = streams ? 'head' : 'whole';
    const { maxInputBytes } = this.#endpoint.settings;
    if (this.#headerLength > 0) checkJsonSize(this.#headerLength, maxInputBytes);
    if (this.#contentEncoding !== '' || announced <= 0) return;
    if (this.#headerLength > 0) checkHeaderLength(this.#headerLength, announced);
    else checkBodySize(announced, this.#headerLength, maxInputBytes);
  }

  #takeWhole(chunk: Uint8Array, last: boolean): void {
    if (last && this.#body.length === 0 && this.#contentEncoding === '') {
      this.#takeBody(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      return;
    }
    this.#body.append(chunk);
    if (this.#headerLength <= 0 && this.#contentEncoding === '')
      checkBodySize(this.#body.length, this.#headerLength, this.#endpoint.settings.maxInputBytes);
    if (!last) return;
    if (this.#contentEncoding === '') this.#takeBody(this.#body.view);
    else this.#decompress();
  }

  /** The body stays where it is until its turn comes, and then what it has become takes its place: both count among what bodies may hold. */
  #decompress(): void {
    if (this.#body.length === 0) throw invalid('nothing to be decompressed');
    const use = this.use;
    this.#state = 'working';
    const bodyOf = () => (use === this.use ? this.#body.view : null);
    decompress(bodyOf, this.#endpoint.settings.maxInputBytes, (error, bytes) => {
      if (use !== this.use) return;
      try {
        if (error !== null) throw error;
        this.#body.become(bytes);
        this.#takeBody(this.#body.view);
      } catch (failure) {
        this.fail(failure);
      }
    });
  }

  /** The body is complete and plain. */
  #takeBody(body: Buffer): void {
    this.#state = 'working';
    this.#findAgain();
    if (this.#headerLength === 0 || (this.#headerLength === WHOLE_BODY && body.length === 0)) {
      const content = rawContent(this.model, body);
      this.takeComplete(rawHead(this.model, content.length), content, 0);
      return;
    }
    const headBytes = headBytesOf(body.length, this.#headerLength);
    this.id = this.#endpoint.refusals.idIn(body, 0, headBytes);
    if (headBytes > LARGE_JSON_BYTES) {
      void this.takeLarge(body, headBytes);
      return;
    }
    this.takeComplete(this.#endpoint.heads.of(this.model).prepare(body, 0, headBytes), body, headBytes);
  }

  #find(name: string, version: string): ServedModel {
    const model = this.#endpoint.server.find(name, version);
    if (!model.isDecoupled) return model;
    throw new ServerError('UNSUPPORTED', "HTTP end point doesn't support models with decoupled transaction policy");
  }

  /** The model may have been loaded anew since the head of the request came. */
  #findAgain(): void {
    if (this.model.isRetired) this.model = this.#find(this.#name, this.#version);
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
    this.#findAgain();
    this.id = this.#endpoint.refusals.idIn(this.#body.view, 0, this.#headerLength);
    const prepared = this.#endpoint.heads.of(this.model).prepare(this.#body.view, 0, this.#headerLength);
    if (this.#exchange!.contentLength >= 0)
      this.checkRest(prepared, this.#exchange!.contentLength - this.#headerLength);
    const head = this.#body.view;
    this.admit(prepared, head);
    this.readJson(prepared, head);
    this.#body.clear();
    this.scatter.begin(this.request!, prepared);
    this.#state = 'tensors';
    this.#received = 0;
    this.#takeTensors(chunk, rest, last);
  }

  /** Tensor bytes that came in so far. */
  #received = 0;

  #takeTensors(chunk: Uint8Array, at: number, last: boolean): void {
    this.#received += chunk.length - at;
    if (this.scatter.write(chunk, at) > 0) throw additionalBytes(this.model.name);
    if (!last) return;
    this.checkRest(this.prepared!, this.#received);
    this.#state = 'working';
    this.submit();
  }

  /** The response is released as soon as its views are not needed. */
  #sendReply(reply: InferReply): void {
    if (this.#replyEncoding !== 'identity') {
      this.#compressReply(reply);
      return;
    }
    const bytes = reply.parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes > LARGEST_COPIED_REPLY) {
      this.sendViews(reply.headBytes, reply.parts);
      return;
    }
    const whole = reply.parts.length === 1 ? reply.parts[0]! : Buffer.concat(reply.parts);
    this.sendTensors(reply.headBytes, whole);
    this.releaseResponse();
  }

  #compressReply(reply: InferReply): void {
    const use = this.use;
    const encoding = this.#replyEncoding as Exclude<Encoding, 'identity'>;
    const plain = Buffer.concat(reply.parts);
    this.releaseResponse();
    compress(encoding, plain, (bytes) => {
      if (use !== this.use) return;
      const headers = this.#headersOf(reply.headBytes);
      const coding = bytes === plain ? [] : ['Content-Encoding', encoding];
      this.callTrace?.sending();
      this.#exchange!.send(200, [...headers, ...coding], [bytes]);
    });
  }

  #headersOf(headBytes: number): readonly string[] {
    if (this.#timing !== '') return [...this.#plainHeadersOf(headBytes), 'Server-Timing', this.#timing];
    return this.#plainHeadersOf(headBytes);
  }

  #plainHeadersOf(headBytes: number): readonly string[] {
    if (headBytes === JSON_ALONE) return JSON_HEADERS;
    if (headBytes !== this.#headersFor) {
      this.#headers = binaryHeaders(headBytes);
      this.#headersFor = headBytes;
    }
    return this.#headers;
  }

  #finish(): void {
    if (this.#exchange === null) return;
    this.request = null;
    this.releaseResponse();
    this.prepared = null;
    this.id = '';
    this.forwarded = null;
    this.#timing = '';
    this.#exchange = null;
    this.#state = 'done';
    this.use++;
    this.#body.clear();
    this.endTrace();
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

/** @param headBytes of the JSON in front of the tensors */
function binaryHeaders(headBytes: number): readonly string[] {
  return ['Content-Type', 'application/octet-stream', 'Inference-Header-Content-Length', String(headBytes)];
}
