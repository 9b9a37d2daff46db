import { checkRequest, type InferPlan, requestTag } from '../../core/check-request.js';
import type { AcceptedRequest, Responder } from '../../core/infer-response.js';
import type { ClientRegions } from '../../core/regions/client-regions.js';
import type { ServedModel } from '../../core/served-model.js';
import type { InferenceServer } from '../../core/server.js';
import { copyBytes } from '../../memory/copy.js';
import { invalid, type ServerError } from '../../types/errors.js';
import type { SequenceFlags, SequenceId } from '../../types/infer.js';
import { type ForwardedHeaders, planWithHeaders } from '../header-forward.js';
import type { IdBytes } from './id-bytes.js';
import { inferHead, noData } from './infer-head.js';
import { parseInferRequest, RAW_INPUT_CONTENTS, type WireInferRequest } from './infer-message.js';
import type { HeadReader } from './message-pieces.js';
import { MessageTemplate } from './message-template.js';
import { PreparedReplies } from './reply-template.js';
import { writeContents } from './typed-contents.js';

/** Messages with more before their raw entries are parsed each time: they are rare, and would fill the memory. */
const LONGEST_REMEMBERED_BYTES = 4096;
const REMEMBERED_MESSAGES = 32;

/** What requests with the same head have in common. */
export interface PreparedInfer {
  readonly model: ServedModel;
  /** Name and version as the client wrote them. */
  readonly modelName: string;
  readonly modelVersion: string;
  readonly plan: InferPlan;
  /** Bytes of each input, in order; -1 = strings, or known by the message alone. */
  readonly sizes: readonly number[];
  /** Sizes of inputs are those of one request only. */
  readonly hasStrings: boolean;
  /** Null = no other request is known to be like this one. */
  replies: PreparedReplies | null;
}

/** Throws where there is no such model, or it cannot be asked. */
export type ModelFinder = Pick<InferenceServer, 'find' | 'regions'>;

interface Remembered {
  readonly template: MessageTemplate;
  readonly prepared: PreparedInfer;
}

/**
 * Reads the messages of all calls, one after another: what it found is in its fields until the next `read`. Heads that repeat are
 * known again by their bytes, so one is parsed and checked once.
 */
export class InferReader implements HeadReader<PreparedInfer> {
  readonly entryTag = RAW_INPUT_CONTENTS;
  readonly entryField = 'raw_input_contents';
  prepared!: PreparedInfer;
  plan!: InferPlan;
  /** The plan may be that of another sequence. */
  sequence!: SequenceFlags;
  /** Where the id lies in the message; also set when `read` throws for what comes behind it. */
  idBegin = 0;
  idEnd = 0;
  /** As the client wrote it; '' = it was not read yet. */
  modelName = '';
  /** Bytes of each input, in the order of the plan. */
  sizes: readonly number[] = [];
  readonly #models: ModelFinder;
  /** The one that matched last comes first. */
  readonly #remembered: Remembered[] = [];
  readonly #rawBegins: number[] = [];
  #rawSizes: readonly number[] = [];
  #length = 0;
  /** A message with typed contents; null = its tensors are raw entries. */
  #typed: WireInferRequest | null = null;

  constructor(models: ModelFinder) {
    this.#models = models;
  }

  /** Reads a whole message. Throws ServerErrors of reading and of the model's checks. */
  read(message: Buffer): void {
    if (this.#recall(message, true)) return;
    const wire = this.#parse(message, true);
    this.sizes = this.plan.inputs.map(({ head }) => (head.source.kind === 'json' ? 0 : head.source.byteSize));
    if (wire.inputs.some(({ contents }) => contents.length > 0)) this.#typed = wire;
    const rawCount = this.#placeRaw(wire);
    if (wire.isOrdered && wire.raw.length === rawCount && this.#typed === null) this.#remember(message, wire);
  }

  /** Reads the part of a message before its raw entries, taking each to have the right size; they are not copied from here. */
  readHead(head: Buffer): void {
    if (this.#recall(head, false)) return;
    const wire = this.#parse(head, false);
    this.sizes = this.prepared.sizes;
    if (wire.inputs.some(({ contents }) => contents.length > 0)) this.#typed = wire;
    else if (wire.isOrdered) this.#remember(head, wire);
  }

  get regions(): ClientRegions {
    return this.#models.regions;
  }

  admitHead(responder: Responder, forwarded: ForwardedHeaders | null): AcceptedRequest | null {
    const { model, hasStrings } = this.prepared;
    if (this.#typed !== null || hasStrings || this.plan.usesRegions) return null;
    return model.admit(planWithHeaders(model, this.plan, forwarded), this.sizes, responder, this.sequence);
  }

  wrongEntry({ plan, model }: AcceptedRequest, nth: number, expected: number, got: number, id: IdBytes): ServerError {
    const { name } = plan.inputs[nth]!.head;
    if (got < 0) return noData(name, model.name);
    const tag = requestTag(id.text);
    return invalid(
      `${tag}input byte size mismatch for input '${name}' for model '${model.name}'. Expected ${expected}, got ${got}`,
    );
  }

  /** Copies input `nth` of the message read to `begin` in `to`, where the message has it. */
  copyInput(message: Buffer, nth: number, to: Uint8Array, begin: number): void {
    if (this.plan.usesRegions && isShared(this.plan, nth)) return;
    if (this.#typed === null) {
      copyBytes(message, this.#rawBegins[nth]!, to, begin, this.sizes[nth]!);
      return;
    }
    const { datatype } = this.plan.inputs[nth]!;
    writeContents(message, this.#typed.inputs[nth]!.contents, datatype, to, begin);
  }

  #parse(message: Buffer, isWhole: boolean): WireInferRequest {
    const wire = parseInferRequest(message, 0, message.length);
    this.idEnd = wire.idField.end;
    this.idBegin = this.idEnd - Buffer.byteLength(wire.id);
    this.modelName = wire.modelName;
    const model = this.#models.find(wire.modelName, wire.modelVersion);
    this.plan = checkRequest(
      model.name,
      model.tensors,
      inferHead(message, wire, isWhole, this.#models.regions.isAllowed),
    );
    this.sequence = this.plan.head;
    this.prepared = prepare(model, wire, this.plan);
    return wire;
  }

  /** Notes where the raw entry of each input lies that has one; the result is how many do. */
  #placeRaw({ raw }: WireInferRequest): number {
    let entry = 0;
    this.#rawBegins.length = 0;
    for (let nth = 0; nth < this.plan.inputs.length; nth++) {
      this.#rawBegins.push(isShared(this.plan, nth) ? -1 : (raw[entry++]?.begin ?? -1));
    }
    return entry;
  }

  /** True = the message is one that was read before, but for its id and its tensors. */
  #recall(message: Buffer, isWhole: boolean): boolean {
    this.#typed = null;
    this.modelName = '';
    this.idBegin = 0;
    this.idEnd = 0;
    const remembered = this.#remembered;
    for (let index = 0; index < remembered.length; index++) {
      const known = remembered[index]!;
      const rawBegin = known.template.match(message);
      if (rawBegin < 0) continue;
      if (isWhole ? !this.#findRaw(message, rawBegin, known.prepared) : rawBegin !== message.length) return false;
      remembered[index] = remembered[0]!;
      remembered[0] = known;
      return this.#use(message, known);
    }
    return false;
  }

  #use(message: Buffer, { template, prepared }: Remembered): boolean {
    this.idBegin = template.idBegin;
    this.idEnd = template.idEnd;
    this.modelName = prepared.modelName;
    if (this.#models.find(prepared.modelName, prepared.modelVersion) !== prepared.model) {
      this.#remembered.shift();
      return false;
    }
    this.prepared = prepared;
    const { head } = prepared.plan;
    this.sequence = template.sequenceId === null ? head : withSequence(head, template.sequenceId.value);
    this.sizes = prepared.hasStrings ? this.#rawSizes : prepared.sizes;
    this.plan = prepared.plan.isPerId ? withId(prepared.plan, message, this.idBegin, this.idEnd) : prepared.plan;
    return true;
  }

  /** True = from `begin` on there is nothing but one raw entry for each size that the message has to bring, and as long as that. */
  #findRaw(message: Buffer, begin: number, { sizes, plan }: PreparedInfer): boolean {
    const begins = this.#rawBegins;
    const found: number[] | null = sizes.includes(-1) ? [] : null;
    let at = begin;
    for (let nth = 0; nth < sizes.length; nth++) {
      if (plan.usesRegions && isShared(plan, nth)) {
        found?.push(sizes[nth]!);
        continue;
      }
      if (message[at] !== RAW_INPUT_CONTENTS) return false;
      at = this.#readLength(message, at + 1);
      if (at < 0) return false;
      if (sizes[nth]! >= 0 && sizes[nth] !== this.#length) return false;
      begins[nth] = at;
      found?.push(this.#length);
      at += this.#length;
    }
    if (found !== null) this.#rawSizes = found;
    return at === message.length;
  }

  /** Behind a length of up to 28 bits, which is then in `#length`; -1 = it is none. */
  #readLength(message: Buffer, at: number): number {
    let length = 0;
    for (let index = 0; index < 4; index++) {
      const byte = message[at + index];
      if (byte === undefined) return -1;
      length |= (byte & 0x7f) << (index * 7);
      if (byte >= 0x80) continue;
      this.#length = length;
      return at + index + 1;
    }
    return -1;
  }

  #remember(message: Buffer, wire: WireInferRequest): void {
    const template = new MessageTemplate(message, wire);
    if (template.bytes > LONGEST_REMEMBERED_BYTES) return;
    const remembered = this.#remembered;
    this.prepared.replies = new PreparedReplies();
    const entry = { template, prepared: this.prepared };
    if (remembered.length < REMEMBERED_MESSAGES) remembered.push(entry);
    else remembered[REMEMBERED_MESSAGES - 1] = entry;
  }
}

function prepare(model: ServedModel, { modelName, modelVersion }: WireInferRequest, plan: InferPlan): PreparedInfer {
  const sizes = plan.inputs.map(({ bytes, head: { source } }) => (source.kind === 'shared' ? source.byteSize : bytes));
  return { model, modelName, modelVersion, plan, sizes, hasStrings: sizes.includes(-1), replies: null };
}

function isShared({ inputs }: InferPlan, nth: number): boolean {
  return inputs[nth]!.head.source.kind === 'shared';
}

function withSequence({ sequenceStart, sequenceEnd }: SequenceFlags, sequenceId: SequenceId): SequenceFlags {
  return { sequenceId, sequenceStart, sequenceEnd };
}

/** The plan of another request as this one's: only its id differs. */
function withId(plan: InferPlan, message: Buffer, begin: number, end: number): InferPlan {
  const id = message.toString('utf8', begin, end);
  return id === plan.head.id ? plan : { ...plan, head: { ...plan.head, id } };
}
