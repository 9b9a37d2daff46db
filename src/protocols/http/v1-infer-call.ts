import type { InferResponse } from '../../core/infer-response.js';
import type { ServedModel } from '../../core/served-model.js';
import { asServerError, invalid, type ServerError } from '../../types/errors.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import { httpTrace } from '../call-trace.js';
import { outputViews } from '../prepared-reply.js';
import type { RefusalLog } from '../refusal-log.js';
import { Scatter } from '../scatter.js';
import type { V1Forms } from '../v1-forms.js';
import type { V1HeaderReader } from '../v1-header.js';
import { type PreparedV1Reply, planV1, type V1Plan } from '../v1-plan.js';
import { binaryWithId, buildV1Reply, isAlike, lineWithId, prepareV1Reply, textWithId } from '../v1-reply.js';
import type { V1Form } from '../v1-request.js';
import type { V1Server } from '../v1-server.js';
import { idText, V1Task } from '../v1-task.js';
import type { BodySink, ExchangeOwner, HttpExchange } from './engine.js';
import { replyEmpty } from './v1-reply.js';

/** Bodies beyond this are written to their slot as they come in; smaller ones when they are complete. */
const STREAMED_BYTES = 64 * 1024;
const LARGEST_COPIED_REPLY = 64 * 1024;
const NOTHING = new Uint8Array(0);

/** What a call needs of the endpoint that owns it. */
export interface V1InferHost {
  readonly v1: V1Server;
  readonly budget: BodyBudget;
  readonly forms: V1Forms;
  readonly reader: V1HeaderReader;
  readonly refusals: RefusalLog;
  /** The call has no exchange and no request any more. */
  recycle(call: V1InferCall): void;
}

/** whole: the body is needed complete. tensors: it is written to its slot as it comes. working: it is queued or runs. done: answered or given up. */
type CallState = 'whole' | 'tensors' | 'working' | 'done';

/** One inference of V1 over HTTP, from its head to the last byte of its answer. Pooled; belongs to one exchange at a time. */
export class V1InferCall extends V1Task implements BodySink, ExchangeOwner {
  readonly #host: V1InferHost;
  readonly #body: BodyBuffer;
  readonly #scatter = new Scatter();
  #exchange: HttpExchange | null = null;
  #name = '';
  #version = '';
  #state: CallState = 'done';
  #isBinary = false;
  /** Bytes of the body that came in so far, where they are not collected. */
  #received = 0;

  constructor(host: V1InferHost) {
    super(host.v1);
    this.#host = host;
    this.#body = new BodyBuffer(host.budget);
  }

  start(exchange: HttpExchange, name: string, version: string): void {
    this.#exchange = exchange;
    this.#name = name;
    this.#version = version;
    exchange.owner = this;
    try {
      this.#host.reader.read(headerOf(exchange));
      this.#begin(exchange);
    } catch (error) {
      this.refuse(error);
      return;
    }
    if (this.#state !== 'done') exchange.readBody(this);
  }

  onChunk(exchange: HttpExchange, chunk: Uint8Array, last: boolean): void {
    if (exchange !== this.#exchange || this.#state === 'done' || this.#state === 'working') return;
    try {
      if (this.#state === 'tensors') this.#takeTensors(chunk, last);
      else this.#takeWhole(chunk, last);
    } catch (error) {
      this.refuse(error);
    }
  }

  onSent(): void {
    this.#finish();
  }

  onAborted(): void {
    this.cancelRequest();
    this.#finish();
  }

  protected noteRefusal(error: unknown): void {
    this.#host.refusals.note(this.#name, idText(this.particulars), error);
  }

  protected settled(): void {
    if (this.error === null) {
      try {
        this.#reply(this.response!, this.plan!);
        return;
      } catch (error) {
        this.noteRefusal(error);
        this.error = asServerError(error);
        this.releaseResponse();
      }
    }
    this.#replyError(this.error);
  }

  /** Throws for a model that is not there, and for what does not fit it; a header that is none is answered. */
  #begin(exchange: HttpExchange): void {
    const { reader } = this.#host;
    this.particulars = reader.particulars;
    const model = this.#find(exchange);
    if (model === null) return;
    let plan = this.#host.forms.known(model, reader.key, reader.particulars);
    if (plan === null) {
      const form = this.#parse(exchange);
      if (form === null) return;
      plan = this.#host.forms.plan(model, reader.key, form, reader.particulars);
    }
    this.plan = plan;
    this.#isBinary = isBinary(exchange.query());
    const { tracing } = this.v1.server;
    if (tracing.isOn) this.callTrace = httpTrace(tracing, exchange, model.name);
    if (exchange.contentLength >= 0) checkBody(plan, exchange.contentLength);
    this.#state = plan.bodyBytes > STREAMED_BYTES ? 'tensors' : 'whole';
  }

  /** Throws for a model that is not there, whose header is read first: the id that is told may stand anywhere in it. Null as `#parse`. */
  #find(exchange: HttpExchange): ServedModel | null {
    try {
      return this.v1.find(this.#name, this.#version);
    } catch (error) {
      if (this.#parse(exchange) === null) return null;
      throw error;
    }
  }

  /** Null = the header is none, and that is answered (v1 fact sheet 1.3: without a status). */
  #parse(exchange: HttpExchange): V1Form | null {
    const { reader } = this.#host;
    try {
      const form = reader.parse();
      this.particulars = reader.particulars;
      return form;
    } catch (error) {
      this.noteRefusal(error);
      this.#state = 'done';
      replyEmpty(exchange, 400);
      return null;
    }
  }

  #takeWhole(chunk: Uint8Array, last: boolean): void {
    if (last && this.#body.length === 0) {
      this.#take(chunk);
      return;
    }
    this.#body.append(chunk);
    if (last || this.#body.length > this.plan!.bodyBytes) this.#take(this.#body.view);
  }

  #take(body: Uint8Array): void {
    checkBody(this.plan!, body.length);
    this.#admit();
    this.#scatter.write(body, 0);
    this.#body.clear();
    this.#state = 'working';
    this.submit();
  }

  #takeTensors(chunk: Uint8Array, last: boolean): void {
    if (this.request === null) this.#admit();
    this.#received += chunk.length;
    if (this.#scatter.write(chunk, 0) > 0 || last) checkBody(this.plan!, this.#received);
    if (!last) return;
    this.#state = 'working';
    this.submit();
  }

  #admit(): void {
    let plan = this.plan!;
    if (plan.model.isRetired) plan = this.#planAgain(this.v1.find(this.#name, this.#version), plan);
    this.#scatter.begin(this.admit(plan, this.particulars), plan);
  }

  /** The model was loaded anew since the head of the request came; its body must still be the same. */
  #planAgain(model: ServedModel, { form, bodyBytes }: V1Plan): V1Plan {
    const anew = planV1(model, form, this.particulars);
    checkBody(anew, bodyBytes);
    return anew;
  }

  #reply(response: InferResponse, plan: V1Plan): void {
    let parts: Uint8Array[];
    let prepared: PreparedV1Reply;
    if (plan.reply !== null && response.model === plan.model) {
      prepared = plan.reply;
      parts = outputViews(response);
    } else {
      const reply = buildV1Reply(response, plan);
      prepared = prepareV1Reply(reply.header);
      parts = [...reply.parts];
      if (isAlike(response, plan)) plan.reply = prepared;
    }
    const { id } = this.particulars;
    parts.push(this.#isBinary ? binaryWithId(prepared.binary, id) : Buffer.from(textWithId(prepared.text, id)));
    this.#state = 'done';
    this.callTrace?.sending();
    this.#send(200, headers(lineWithId(prepared.line, id), this.v1.statusLine(null)), parts);
  }

  /** The response is released as soon as its views are not needed. */
  #send(status: number, fields: readonly string[], parts: readonly Uint8Array[]): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes > LARGEST_COPIED_REPLY) {
      this.#exchange!.send(status, fields, parts);
      return;
    }
    const whole = Buffer.concat(parts, bytes);
    this.releaseResponse();
    this.#exchange!.reply(status, fields, whole);
  }

  #replyError(error: ServerError): void {
    this.#state = 'done';
    this.#body.clear();
    this.callTrace?.sending();
    const line = lineWithId('', this.particulars.id);
    this.#exchange!.reply(400, headers(line, this.v1.statusLine(error)), NOTHING);
  }

  #finish(): void {
    if (this.#exchange === null) return;
    this.#exchange = null;
    this.#state = 'done';
    this.#received = 0;
    this.#body.clear();
    this.clear();
    this.#host.recycle(this);
  }
}

/** Throws INVALID_ARGUMENT where there is none. */
function headerOf(exchange: HttpExchange): string {
  const text = exchange.header('nv-inferrequest');
  if (text !== '') return text;
  throw invalid(
    'the request has no header NV-InferRequest: expected one such as NV-InferRequest: batch_size: 1 input { name: "IN" } output { name: "OUT" }',
  );
}

function isBinary(query: string): boolean {
  return query === 'format=binary' || (query !== '' && new URLSearchParams(query).get('format') === 'binary');
}

function headers(inferResponse: string, status: string): readonly string[] {
  return ['Content-Type', 'application/octet-stream', 'NV-InferResponse', inferResponse, 'NV-Status', status];
}

/** Throws INVALID_ARGUMENT where a body of `bytes` bytes is not what the header says; names the first input that it cannot fill. */
function checkBody({ plan, model, binaryBytes, bodyBytes }: V1Plan, bytes: number): void {
  if (bytes === bodyBytes) return;
  if (bytes > bodyBytes)
    throw invalid(
      `unexpected additional input data for model '${model.name}': got ${bytes} bytes, expecting ${bodyBytes}`,
    );
  let end = 0;
  const nth = binaryBytes.findIndex((size) => {
    end += size;
    return end > bytes;
  });
  const name = plan.inputs[nth]!.head.name;
  throw invalid(
    `unexpected size ${bytes - (end - binaryBytes[nth]!)} for input '${name}', expecting ${binaryBytes[nth]} for model '${model.name}'`,
  );
}
