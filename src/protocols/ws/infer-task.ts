import type { InferResponse } from '../../core/infer-response.js';
import { asServerError, invalid, ServerError } from '../../types/errors.js';
import { checkBodySize, checkJsonSize, checkTensorBytes } from '../body-checks.js';
import { BodyInfer } from '../body-infer.js';
import type { PreparedHead } from '../head-cache.js';
import type { InferReply } from '../infer-reply.js';
import { LARGE_JSON_BYTES } from '../json-pool.js';
import { JSON_ALONE } from '../prepared-reply.js';
import { rawContent, rawHead } from '../raw-request.js';
import { type MessageSocket, type PartsHolder, TEXT } from '../web-socket.js';
import { findId, readEnvelope } from './envelope.js';
import { errorText } from './error-text.js';
import type { ModelChoice } from './model-choice.js';
import type { Task, TaskOwner } from './session.js';

const LARGEST_COPIED_REPLY = 64 * 1024;

/** In front of the head of a binary message: its length. */
const LENGTH_BYTES = 4;

/** What a task needs of the service that owns it. */
export interface TaskHost {
  readonly maxInputBytes: number;
  /** Nobody has the task any more. */
  recycle(task: InferTask): void;
}

/** idle: nobody's. open: read, or its answer is to come. settled: it waits for its turn. sending: views of its outputs are on their way. */
type State = 'idle' | 'open' | 'settled' | 'sending';

/** One request of a WebSocket, from its message to the last byte of its answer. Pooled. */
export class InferTask extends BodyInfer implements Task, PartsHolder {
  place = 0;
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
  /** Written by another thread. */
  #reply: InferReply | null = null;
  /** While it is sending. */
  #hasViews = false;

  constructor(host: TaskHost, pool: ConstructorParameters<typeof BodyInfer>[0]) {
    super(pool);
    this.#host = host;
  }

  get isSettled(): boolean {
    return this.#state === 'settled';
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
  }

  begin(message: Buffer, owner: TaskOwner): void {
    this.#owner = owner;
    if (this.#error !== null) {
      this.#settle();
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
    const isNew = this.#state === 'open';
    this.#drop();
    this.#error = new ServerError('CANCELLED', 'the request was cancelled');
    if (isNew) this.#settle();
  }

  abandon(): void {
    this.#drop();
    this.#recycle();
  }

  send(socket: MessageSocket): void {
    this.#state = 'sending';
    this.#socket = socket;
    try {
      if (this.#error === null) this.#sendAnswer();
    } catch (error) {
      this.#error = asServerError(error);
    }
    if (this.#error !== null) this.#sendError(this.#error);
    if (!this.#hasViews) this.#recycle();
  }

  onResponse(response: InferResponse): void {
    this.request = null;
    this.response = response;
    try {
      if (this.prepared!.reply !== null || !this.writesLarge(response)) this.#settle();
    } catch (error) {
      this.fail(error);
    }
  }

  onError(error: ServerError): void {
    this.request = null;
    this.fail(error);
  }

  sendText(text: Uint8Array): void {
    if (text.length <= LARGEST_COPIED_REPLY) this.#socket!.sendText(text);
    else this.#sendParts(TEXT, [text]);
  }

  sendTensors(headBytes: number, bytes: Uint8Array): void {
    this.#socket!.sendBinary(headBytes, bytes);
  }

  sendViews(headBytes: number, parts: readonly Uint8Array[]): void {
    this.#sendParts(headBytes === JSON_ALONE ? TEXT : headBytes, parts);
  }

  onPartsReleased(): void {
    this.#hasViews = false;
    this.#recycle();
  }

  protected override checkRest(prepared: PreparedHead, bytes: number): void {
    if (this.#isText && prepared.bodyBytes > 0)
      throw invalid("tensors with 'binary_data_size' need a binary message, in which they follow the JSON");
    checkTensorBytes(prepared, bytes, this.#headBytes, this.model.name);
  }

  protected override fail(error: unknown): void {
    this.#drop();
    this.#error = asServerError(error);
    this.#settle();
  }

  protected override onWritten(reply: InferReply): void {
    this.#reply = reply;
    this.#settle();
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
      this.model = models.model;
      this.#known = known;
      return null;
    }
    checkJsonSize(this.#headBytes, this.#host.maxInputBytes);
    const envelope = readEnvelope(message, this.#headBegin, this.#headEnd);
    if (envelope.cancel !== null) return envelope.cancel;
    this.id = envelope.id;
    this.model = models.find(envelope);
    if (this.#headBytes <= LARGE_JSON_BYTES) this.#known = models.prepare(message, this.#headBegin, this.#headEnd);
    return null;
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
    this.model = models.find({ modelName: '', modelVersion: '' });
    return rawHead(this.model, rawContent(this.model, message.subarray(this.#headEnd)).length);
  }

  #beginRaw(message: Buffer): void {
    this.takeComplete(this.#known!, rawContent(this.model, message.subarray(this.#headEnd)), 0);
  }

  #sendAnswer(): void {
    const reply = this.#reply;
    if (reply !== null) this.#sendReply(reply);
    else if (!this.sendPrepared(this.response!)) this.#sendReply(this.build(this.response!));
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

  #sendParts(number: number, parts: readonly Uint8Array[]): void {
    this.#hasViews = true;
    this.#socket!.sendParts(number, parts, this);
  }

  #sendError(error: ServerError): void {
    this.sendText(errorText(this.id, error));
  }

  #settle(): void {
    this.#state = 'settled';
    this.#owner!.onSettled(this);
  }

  /** Whatever comes of the request now goes nowhere. */
  #drop(): void {
    this.use++;
    this.#reply = null;
    this.cancelRequest();
  }

  #recycle(): void {
    if (this.#state === 'idle') return;
    this.#state = 'idle';
    this.request = null;
    this.releaseResponse();
    this.prepared = null;
    this.id = '';
    this.#owner = null;
    this.#socket = null;
    this.#known = null;
    this.#error = null;
    this.#reply = null;
    this.#host.recycle(this);
  }
}
