import { admitWithRegions } from '../../core/regions/region-request.js';
import type { ServedModel } from '../../core/served-model.js';
import type { ServerError } from '../../types/errors.js';
import { type ForwardedHeaders, planWithHeaders } from '../header-forward.js';
import { SettledInference } from '../inference.js';
import type { RefusalLog } from '../refusal-log.js';
import type { PartsHolder } from './engine.js';
import { IdBytes } from './id-bytes.js';
import type { InferReader, PreparedInfer } from './infer-reader.js';
import type { MessagePieces } from './message-pieces.js';

/** One inference over gRPC, from its message to the last byte of its answer; what unary calls and streams have in common. */
export abstract class InferTask extends SettledInference implements PartsHolder {
  protected prepared: PreparedInfer | null = null;
  /** Its model had it: an error is that model's answer. */
  protected wasAccepted = false;
  protected readonly id = new IdBytes();
  /** Null = none. */
  protected forwarded: ForwardedHeaders | null = null;
  /** '' = that is not known yet. */
  #modelName = '';
  readonly #refusals: RefusalLog;
  readonly #reader: InferReader;

  constructor(refusals: RefusalLog, reader: InferReader) {
    super();
    this.#refusals = refusals;
    this.#reader = reader;
  }

  /** Its model has memory for it and was told nothing yet. */
  protected admitted(_model: ServedModel): void {}

  abstract onPartsReleased(): void;

  /** Reads a whole message, copies its tensors and queues it. */
  start(message: Buffer): void {
    try {
      this.#read(message);
      this.#submit();
    } catch (error) {
      this.refuse(error);
    }
  }

  /** As `start`, for a message that came in pieces. */
  startPieces(pieces: MessagePieces<PreparedInfer>): void {
    try {
      this.#takeNames(pieces);
      this.request = pieces.finish();
      this.prepared = pieces.prepared;
      if (this.request === null) this.#read(pieces.whole);
      this.#submit();
    } catch (error) {
      this.refuse(error);
    } finally {
      pieces.clear();
    }
  }

  /** For a message that was refused while it came in pieces. */
  refusePieces(pieces: MessagePieces<PreparedInfer>, error: unknown): void {
    this.#takeNames(pieces);
    pieces.clear();
    this.refuse(error);
  }

  override onError(error: ServerError): void {
    this.wasAccepted = true;
    super.onError(error);
  }

  protected noteRefusal(error: unknown): void {
    if (this.#refusals.isOn) this.#refusals.note(this.#modelName, this.id.text, error);
  }

  protected override clear(): void {
    super.clear();
    this.prepared = null;
    this.forwarded = null;
    this.wasAccepted = false;
    this.id.clear();
    this.#modelName = '';
  }

  #takeNames({ id, modelName }: MessagePieces<PreparedInfer>): void {
    this.id.set(id.bytes, 0, id.length);
    this.#modelName = modelName;
  }

  #read(message: Buffer): void {
    const reader = this.#reader;
    try {
      reader.read(message);
    } finally {
      this.id.set(message, reader.idBegin, reader.idEnd);
      this.#modelName = reader.modelName;
    }
    const { prepared, sizes, sequence } = reader;
    const { model } = prepared;
    this.prepared = prepared;
    const plan = planWithHeaders(model, reader.plan, this.forwarded);
    const request = admitWithRegions(reader.regions, model, plan, sizes, this, sequence);
    this.request = request;
    const { bytes } = model.arena;
    for (let nth = 0; nth < sizes.length; nth++) reader.copyInput(message, nth, bytes, request.inputBegin(nth));
  }

  #submit(): void {
    this.admitted(this.prepared!.model);
    this.submitAs(this.id.text);
  }
}
