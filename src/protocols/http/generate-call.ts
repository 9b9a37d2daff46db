import { checkRequest } from '../../core/check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from '../../core/infer-response.js';
import type { ServedModel } from '../../core/served-model.js';
import type { Tracing } from '../../telemetry/trace/tracing.js';
import { invalid, type ServerError } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { checkJsonSize } from '../body-checks.js';
import { type CallTrace, httpTrace } from '../call-trace.js';
import { type GenerateRequest, parseGenerate } from '../generate.js';
import { type JsonPool, LARGE_JSON_BYTES } from '../json-pool.js';
import { readJsonTensor } from '../json-tensor.js';
import { readLargeGenerate } from '../large-generate.js';
import type { RefusalLog } from '../refusal-log.js';
import type { BodySink, ExchangeOwner, HttpExchange } from './engine.js';
import { replyError } from './reply.js';

/** What a call needs of the endpoint that owns it. */
export interface GenerateHost {
  readonly limits: { readonly maxInputBytes: number };
  readonly budget: BodyBudget;
  readonly pool: JsonPool;
  readonly refusals: RefusalLog;
  readonly server: { readonly tracing: Tracing; find(name: string, version: string): ServedModel };
}

/** Who asked, as long as the answers are not all there. */
export interface Asker {
  /** Nothing more is wanted. */
  cancel(): void;
  /** For the log: what its model answered cannot be its answer. */
  noteRefusal(error: unknown): void;
}

/** How the answers of a model become the answer to a client. Each response is its to release. */
export interface GenerateAnswers {
  /** The request is complete. @param id '' = none */
  begin(id: string, call: Asker): void;
  take(response: InferResponse): void;
  /** The last one. */
  takeError(error: ServerError): void;
  /** The client has taken what was written. */
  goOn(): void;
  /** The answer was sent, or never will be: lets go of all responses. */
  drop(): void;
}

/** One request to `generate` or `generate_stream`, from its head to the last byte of its answer. */
export class GenerateCall implements BodySink, ExchangeOwner, Responder, Asker {
  readonly #host: GenerateHost;
  readonly #answers: GenerateAnswers;
  readonly #body: BodyBuffer;
  #exchange!: HttpExchange;
  #model!: ServedModel;
  /** As the client wrote them. */
  #name = '';
  #version = '';
  /** Of the request, where a line of the log would have it. */
  #id = '';
  /** Until its last answer. */
  #request: AcceptedRequest | null = null;
  /** Null = nothing is traced. */
  #trace: CallTrace | null = null;
  /** Nothing more of the body is wanted: it is complete, or refused. */
  #hasBody = false;
  /** The exchange belongs to the engine again. */
  #isOver = false;

  constructor(host: GenerateHost, answers: GenerateAnswers) {
    this.#host = host;
    this.#answers = answers;
    this.#body = new BodyBuffer(host.budget);
  }

  /** Throws where there is no such model, and what can be refused before the body comes. */
  start(exchange: HttpExchange, name: string, version: string): void {
    this.#exchange = exchange;
    this.#model = this.#host.server.find(name, version);
    this.#name = name;
    this.#version = version;
    checkEncoding(exchange.header('content-encoding'));
    checkJsonSize(exchange.contentLength, this.#host.limits.maxInputBytes);
    exchange.owner = this;
    const { tracing } = this.#host.server;
    if (tracing.isOn) this.#trace = httpTrace(tracing, exchange, name);
    exchange.readBody(this);
  }

  onChunk(_exchange: HttpExchange, chunk: Uint8Array, last: boolean): void {
    if (this.#hasBody) return;
    try {
      checkJsonSize(this.#body.length + chunk.length, this.#host.limits.maxInputBytes);
      if (last && this.#body.length === 0) {
        this.#run(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      } else {
        this.#body.append(chunk);
        if (last) this.#run(this.#body.view);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  onResponse(response: InferResponse): void {
    if (response.isFinal) this.#request = null;
    this.#trace?.sending();
    this.#answers.take(response);
  }

  onError(error: ServerError): void {
    this.#request = null;
    this.#trace?.sending();
    this.#answers.takeError(error);
  }

  onWritable(): void {
    this.#answers.goOn();
  }

  onSent(): void {
    this.#leave();
  }

  onAborted(): void {
    this.#leave();
  }

  /** Whatever comes now, from the client or the model, is nobody's. */
  cancel(): void {
    this.#hasBody = true;
    this.#body.clear();
    const request = this.#request;
    this.#request = null;
    request?.cancel();
  }

  noteRefusal(error: unknown): void {
    this.#host.refusals.note(this.#name, this.#id, error);
  }

  /** The body is complete: its data goes to the memory of the request. */
  #run(body: Buffer): void {
    this.#hasBody = true;
    this.#id = this.#host.refusals.idIn(body, 0, body.length);
    // It may have been loaded anew since the head of the request came.
    if (this.#model.isRetired) this.#model = this.#host.server.find(this.#name, this.#version);
    if (body.length > LARGE_JSON_BYTES) {
      void this.#runLarge(body);
      return;
    }
    const { tensors } = this.#model;
    const given = parseGenerate(body, 0, body.length, tensors, this.#host.limits.maxInputBytes);
    this.#admit(given, body);
    this.#submit();
  }

  /** The same in another thread. The client may go meanwhile: what comes then is nobody's. */
  async #runLarge(body: Buffer): Promise<void> {
    const { pool, limits } = this.#host;
    try {
      const request = await readLargeGenerate(pool, this.#model, body, limits.maxInputBytes, this);
      if (this.#isOver) {
        request.abandon();
        return;
      }
      this.#request = request;
      this.#submit();
    } catch (error) {
      if (!this.#isOver) this.#fail(error);
    }
  }

  #admit({ head, sizes }: GenerateRequest, body: Buffer): void {
    const { name, tensors, arena } = this.#model;
    const plan = checkRequest(name, tensors, head);
    const request = this.#model.admit(plan, sizes, this);
    this.#request = request;
    for (const [nth, { source }] of head.inputs.entries()) {
      const { head: input, datatype, elements } = plan.inputs[nth]!;
      const range = source as Extract<typeof source, { kind: 'json' }>;
      readJsonTensor(body, range, input.name, datatype, elements, arena.bytes, request.inputBegin(nth));
    }
  }

  #submit(): void {
    const request = this.#request!;
    this.#body.clear();
    this.#trace?.begin(request, request.plan.head.id);
    request.requestId = request.plan.head.id;
    this.#answers.begin(request.plan.head.id, this);
    try {
      request.submit();
    } catch (error) {
      // It has given everything back.
      this.#request = null;
      throw error;
    }
  }

  #fail(error: unknown): void {
    this.noteRefusal(error);
    this.cancel();
    replyError(this.#exchange, error);
  }

  #leave(): void {
    this.#isOver = true;
    this.cancel();
    this.#answers.drop();
    this.#trace?.end();
  }
}

function checkEncoding(header: string): void {
  const coding = header.trim().toLowerCase();
  if (coding === '' || coding === 'identity') return;
  throw invalid("Unsupported content-encoding, only 'identity' is supported.");
}
