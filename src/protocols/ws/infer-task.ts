import { Fifo } from '../../base/fifo.js';
import type { InferResponse } from '../../core/infer-response.js';
import type { ServedModel } from '../../core/served-model.js';
import type { Tracing } from '../../telemetry/trace/tracing.js';
import { asServerError, invalid, ServerError } from '../../types/errors.js';
import type { ParameterValue } from '../../types/infer.js';
import { checkBodySize, checkJsonSize, checkTensorBytes } from '../body-checks.js';
import { BodyInfer } from '../body-infer.js';
import { socketTrace } from '../call-trace.js';
import { findId, readEnvelope } from '../envelope.js';
import type { PreparedHead } from '../head-cache.js';
import type { InferReply } from '../infer-reply.js';
import { LARGE_JSON_BYTES } from '../json-pool.js';
import { JSON_ALONE } from '../prepared-reply.js';
import { rawContent, rawHead } from '../raw-request.js';
import type { RefusalLog } from '../refusal-log.js';
import { type MessageSocket, type PartsHolder, TEXT } from '../web-socket.js';
import { errorText } from './error-text.js';
import type { ModelChoice } from './model-choice.js';
import type { Sent, Task, TaskOwner } from './session.js';

const LARGEST_COPIED_REPLY = 64 * 1024;

/** In front of the head of a binary message: its length. */
const LENGTH_BYTES = 4;

const FINAL_RESPONSE = 'triton_final_response';

/** What a task needs of the service that owns it. */
export interface TaskHost {
  readonly maxInputBytes: number;
  readonly tracing: Tracing;
  readonly refusals: RefusalLog;
  /** Nobody has the task any more. */
  recycle(task: InferTask): void;
}

/**
 * idle: nobody's. open: read, or an answer is to come. writing: another thread writes one. ready: one waits for its turn. sent: all are, and
 * views of outputs are on their way.
 */
type State = 'idle' | 'open' | 'writing' | 'ready' | 'sent';

/** One request of a WebSocket, from its message to the last byte of its answers. Pooled. */
export class InferTask extends BodyInfer implements Task, PartsHolder {
  place = 0;
  isQueued = false;
  readonly #host: TaskHost;
  #owner: TaskOwner | null = null;
  #socket: MessageSocket | null = null;
  #state: State = 'idle';
  /** Of the message: where its head lies, and whether it is all there is. */
  #headBegin = 0;
  #headEnd = 0;
  #isText = false;
  /** What is known of its head before it is begun; null = it is read in another thread, or is wrong. */
  #known: PreparedHead | null = null;
  #error: ServerError | null = null;
  /** '' = that is not known yet. */
  #modelName = '';
  /** Behind the one that is `response`, or `#reply`. */
  readonly #answers = new Fifo<InferResponse>();
  /** Nothing follows to that one. */
  #isFinal = false;
  /** Written by another thread. */
  #reply: InferReply | null = null;
  /** Sent as views that are on their way, in order; null = of bytes that are nobody's. */
  readonly #views = new Fifo<InferResponse | null>();

  constructor(host: TaskHost, ...parts: ConstructorParameters<typeof BodyInfer>) {
    super(...parts);
    this.#host = host;
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  get requestId(): string {
    return this.id;
  }

  read(message: Buffer, isText: boolean, models: ModelChoice): string | null {
    this.use++;
    this.#state = 'open';
    this.#isText = isText;
    try {
      this.#findHead(message);
      if (this.#headBytes > 0) return this.#readHead(message, models);
      this.#known = this.#readRaw(message, models);
    } catch (error) {
      this.refuse(asServerError(error), message);
    }
    return null;
  }

  refuse(error: ServerError, message: Buffer): void {
    this.#error = error;
    this.#findId(message);
    this.#noteRefusal(error);
  }

  begin(message: Buffer, owner: TaskOwner): void {
    this.#owner = owner;
    if (this.#error !== null) {
      this.#ready();
      return;
    }
    try {
      if (this.#headBytes === 0) this.#beginRaw(message);
      else if (this.#known !== null) this.takeComplete(this.#known, message, this.#headEnd);
      else void this.takeLarge(message.subarray(this.#headBegin), this.#headBytes);
    } catch (error) {
      this.#findId(message);
      this.fail(error);
    }
  }

  cancel(): void {
    this.#giveUp(new ServerError('CANCELLED', 'the request was cancelled'));
  }

  abandon(): void {
    if (this.#state === 'idle') return;
    this.#drop();
    this.#end();
  }

  send(socket: MessageSocket): Sent {
    this.#socket = socket;
    let sent: Sent;
    try {
      sent = this.#sendNext();
    } catch (error) {
      this.#noteRefusal(error);
      this.#drop();
      sent = this.#sendError(asServerError(error));
    }
    // The connection may have ended meanwhile.
    if (this.#state !== 'ready') return sent;
    if (sent === 'more') this.#next();
    else this.#end();
    return sent;
  }

  onResponse(response: InferResponse): void {
    if (response.isFinal) this.request = null;
    this.#answers.push(response);
    if (this.#state === 'open') this.#advance();
  }

  /** Comes behind the answers that there are. */
  onError(error: ServerError): void {
    this.request = null;
    this.#error = error;
    if (this.#state === 'open') this.#advance();
  }

  onStalled(): boolean {
    return this.#owner?.onStalled(this, this.#views.length > 0) ?? false;
  }

  sendText(text: Uint8Array): void {
    if (text.length <= LARGEST_COPIED_REPLY) this.#socket!.sendText(text);
    else this.#sendParts(TEXT, [text], null);
  }

  sendTensors(headBytes: number, bytes: Uint8Array): void {
    this.#socket!.sendBinary(headBytes, bytes);
  }

  /** From here on they hold the response. */
  sendViews(headBytes: number, parts: readonly Uint8Array[]): void {
    const { response } = this;
    this.response = null;
    this.#sendParts(headBytes === JSON_ALONE ? TEXT : headBytes, parts, response);
  }

  onPartsReleased(): void {
    this.#views.shift()?.release();
    if (this.#state === 'sent') this.#recycle();
  }

  protected override checkRest(prepared: PreparedHead, bytes: number): void {
    if (this.#isText && prepared.bodyBytes > 0)
      throw invalid("tensors with 'binary_data_size' need a binary message, in which they follow the JSON");
    checkTensorBytes(prepared, bytes, this.#headBytes, this.model.name);
  }

  protected override fail(error: unknown): void {
    this.#noteRefusal(error);
    this.#giveUp(error);
  }

  #giveUp(error: unknown): void {
    this.#drop();
    this.#error = asServerError(error);
    if (this.#state !== 'ready') this.#ready();
  }

  protected override onWritten(reply: InferReply): void {
    this.#reply = reply;
    this.#ready();
  }

  protected override parametersOf(response: InferResponse): ReadonlyMap<string, ParameterValue> | null {
    const { parameters, isFinal } = response;
    return this.model.isDecoupled ? new Map(parameters ?? []).set(FINAL_RESPONSE, isFinal) : parameters;
  }

  #noteRefusal(error: unknown): void {
    this.#host.refusals.note(this.#modelName, this.id, error);
  }

  get #headBytes(): number {
    return this.#headEnd - this.#headBegin;
  }

  #findHead(message: Buffer): void {
    this.#headBegin = this.#isText ? 0 : LENGTH_BYTES;
    this.#headEnd = message.length;
    if (this.#isText) return;
    if (message.length < LENGTH_BYTES) {
      this.#headBegin = message.length;
      throw invalid(`a binary message begins with the length of its JSON in 4 bytes, but it has ${message.length}`);
    }
    const length = message.readUInt32LE(0);
    const rest = message.length - LENGTH_BYTES;
    if (length > rest) {
      throw invalid(`the JSON of a binary message has ${length} bytes by its first 4, but ${rest} bytes follow them`);
    }
    this.#headEnd = LENGTH_BYTES + length;
  }

  #readHead(message: Buffer, models: ModelChoice): string | null {
    const known = models.known(message, this.#headBegin, this.#headEnd);
    if (known !== null) {
      this.#takeModel(models.model);
      this.#known = known;
      return null;
    }
    checkJsonSize(this.#headBytes, this.#host.maxInputBytes);
    const envelope = readEnvelope(message, this.#headBegin, this.#headEnd);
    if (envelope.cancel !== null) return envelope.cancel;
    this.id = envelope.id;
    this.#takeModel(models.find(envelope));
    if (this.#headBytes <= LARGE_JSON_BYTES) this.#known = models.prepare(message, this.#headBegin, this.#headEnd);
    return null;
  }

  #takeModel(model: ServedModel): void {
    this.model = model;
    this.#modelName = model.name;
    const { tracing } = this.#host;
    if (tracing.isOn) this.callTrace = socketTrace(tracing, model.name);
  }

  /** For an error, where nobody has looked for it. */
  #findId(message: Buffer): void {
    if (this.id === '') this.id = findId(message, this.#headBegin, this.#headEnd);
  }

  /** An empty text is no JSON; an empty head is that of a raw request. */
  #readRaw(message: Buffer, models: ModelChoice): PreparedHead {
    if (this.#isText) throw invalid('failed to parse the request JSON buffer: The document is empty. at 0');
    const bytes = message.length - this.#headEnd;
    checkBodySize(bytes, 0, this.#host.maxInputBytes);
    this.#takeModel(models.find({ modelName: '', modelVersion: '' }));
    return rawHead(this.model, rawContent(this.model, message.subarray(this.#headEnd)).length);
  }

  #beginRaw(message: Buffer): void {
    this.takeComplete(this.#known!, rawContent(this.model, message.subarray(this.#headEnd)), 0);
  }

  #sendNext(): Sent {
    const { response } = this;
    this.callTrace?.sending();
    if (this.#reply === null && response === null) return this.#sendError(this.#error!);
    const sent = this.#isFinal ? 'last' : 'more';
    if (response?.isEmpty && this.prepared!.plan.head.emptyFinal !== true) return 'nothing';
    if (this.#reply !== null) this.#sendReply(this.#reply);
    else if (!this.sendPrepared(response!)) this.#sendReply(this.build(response!));
    return sent;
  }

  #sendReply({ headBytes, parts }: InferReply): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes > LARGEST_COPIED_REPLY) {
      this.sendViews(headBytes, parts);
      return;
    }
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    if (headBytes === JSON_ALONE) this.#socket!.sendText(whole);
    else this.#socket!.sendBinary(headBytes, whole);
  }

  #sendParts(number: number, parts: readonly Uint8Array[], response: InferResponse | null): void {
    this.#views.push(response);
    this.#socket!.sendParts(number, parts, this);
  }

  #sendError(error: ServerError): Sent {
    this.sendText(errorText(this.id, error));
    return 'last';
  }

  #ready(): void {
    this.#state = 'ready';
    this.#owner!.onReady(this);
  }

  /** One was sent. */
  #next(): void {
    this.#reply = null;
    this.#state = 'open';
    this.releaseResponse();
    // Its release may have brought the next.
    if (this.#state === 'open') this.#advance();
  }

  /** Takes up the next answer, or the error behind them. */
  #advance(): void {
    try {
      if (this.#answers.length > 0) this.#take(this.#answers.shift());
      else if (this.#error !== null) this.#ready();
    } catch (error) {
      this.fail(error);
    }
  }

  #take(response: InferResponse): void {
    this.response = response;
    this.#isFinal = response.isFinal;
    if (!response.isEmpty && this.prepared!.reply === null && this.writesLarge(response)) this.#state = 'writing';
    else this.#ready();
  }

  /** Whatever comes of the request now goes nowhere. */
  #drop(): void {
    this.use++;
    this.#reply = null;
    this.cancelRequest();
    while (this.#answers.length > 0) this.#answers.shift().release();
  }

  /** It is not the session's any more. */
  #end(): void {
    this.#state = 'sent';
    this.releaseResponse();
    this.#recycle();
  }

  #recycle(): void {
    if (this.#views.length > 0) return;
    this.#state = 'idle';
    this.endTrace();
    this.request = null;
    this.prepared = null;
    this.id = '';
    this.#owner = null;
    this.#socket = null;
    this.#known = null;
    this.#error = null;
    this.#modelName = '';
    this.#reply = null;
    this.#host.recycle(this);
  }
}
