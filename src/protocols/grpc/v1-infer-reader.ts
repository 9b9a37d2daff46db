import type { AcceptedRequest, Responder } from '../../core/infer-response.js';
import { copyBytes } from '../../memory/copy.js';
import { invalid, type ServerError } from '../../types/errors.js';
import type { V1Forms } from '../v1-forms.js';
import { V1Message } from '../v1-messages.js';
import type { V1Plan } from '../v1-plan.js';
import { formOf, NO_PARTICULARS, type V1HeaderFields, type V1Particulars } from '../v1-request.js';
import type { V1Server } from '../v1-server.js';
import { admitV1 } from '../v1-task.js';
import type { WireRange } from './infer-message.js';
import type { HeadReader } from './message-pieces.js';
import { LENGTH_DELIMITED, malformed, VARINT, WireReader } from './wire.js';

const MODEL_NAME = (1 << 3) | LENGTH_DELIMITED;
const MODEL_VERSION = (2 << 3) | VARINT;
const META_DATA = (3 << 3) | LENGTH_DELIMITED;
const RAW_INPUT = (4 << 3) | LENGTH_DELIMITED;

/** Of InferRequestHeader: all that differs from request to request lies behind the tensors. */
const CORRELATION_ID = (4 << 3) | VARINT;
const ID = (5 << 3) | VARINT;
const FLAGS = (6 << 3) | VARINT;

/** Each costs more memory than the two bytes it may have on the wire. */
const MOST_RAW_INPUTS = 4096;
const MOST_HEADER_BYTES = 1024 * 1024;

/** What is known of a request. */
export interface V1Read {
  /** '' = it was not read. */
  readonly modelName: string;
  /** Null = it does not fit its model. */
  readonly plan: V1Plan | null;
  readonly particulars: V1Particulars;
}

export const NOTHING_READ: V1Read = { modelName: '', plan: null, particulars: NO_PARTICULARS };

/** Reads InferRequest messages, one after another: what it found is in its fields until the next `read` or `readHead`. */
export class V1InferReader implements HeadReader<V1Read> {
  readonly entryTag = RAW_INPUT;
  readonly entryField = 'raw_input';
  /** Ids of V1 are numbers, which are among the particulars. */
  readonly idBegin = 0;
  readonly idEnd = 0;
  modelName = '';
  #plan: V1Plan | null = null;
  #particulars: V1Particulars = NO_PARTICULARS;
  readonly #v1: V1Server;
  readonly #forms: V1Forms;
  #header: V1Message | null = null;
  readonly #raw: WireRange[] = [];
  #version: number | bigint = 0;
  #meta: WireRange = { begin: 0, end: 0 };
  #hasMeta = false;
  #key = '';

  constructor(v1: V1Server, forms: V1Forms) {
    this.#v1 = v1;
    this.#forms = forms;
  }

  /** Also set, as far as it goes, when a message is refused. */
  get prepared(): V1Read {
    return { modelName: this.modelName, plan: this.#plan, particulars: this.#particulars };
  }

  get sizes(): readonly number[] {
    return this.#plan!.binaryBytes;
  }

  /** Throws ServerErrors of reading, of finding the model and of its checks. */
  read(message: Buffer): void {
    this.#split(message);
    this.#checkRaw(this.#readPlan(message));
  }

  readHead(head: Buffer): void {
    this.#split(head);
    // It may come behind the tensors.
    if (this.#hasMeta) this.#readPlan(head);
  }

  admitHead(responder: Responder): AcceptedRequest | null {
    const plan = this.#plan;
    if (plan === null || plan.plan.usesRegions) return null;
    return admitV1(this.#v1.server.regions, plan, this.#particulars, responder);
  }

  wrongEntry({ plan, model }: AcceptedRequest, nth: number, expected: number, got: number): ServerError {
    return wrongSize(plan.inputs[nth]!.head.name, model.name, expected, got);
  }

  /** Copies input `nth` of the message read to `begin` in `to`, where it came with the message. */
  copyInputs(message: Buffer, to: Uint8Array, request: Pick<AcceptedRequest, 'inputBegin'>): void {
    let entry = 0;
    const { inputs } = this.#plan!.plan;
    for (let nth = 0; nth < inputs.length; nth++) {
      if (inputs[nth]!.head.source.kind === 'shared') continue;
      const { begin, end } = this.#raw[entry++]!;
      copyBytes(message, begin, to, request.inputBegin(nth), end - begin);
    }
  }

  #split(message: Buffer): void {
    this.modelName = '';
    this.#version = 0;
    this.#raw.length = 0;
    this.#meta = { begin: 0, end: 0 };
    this.#hasMeta = false;
    this.#plan = null;
    this.#particulars = NO_PARTICULARS;
    const reader = new WireReader(message, 0, message.length);
    while (!reader.isDone) {
      const tag = reader.tag();
      if (tag === MODEL_NAME) this.modelName = reader.string();
      else if (tag === MODEL_VERSION) this.#version = reader.int64();
      else if (tag === META_DATA) this.#setMeta(headerRange(reader));
      else if (tag === RAW_INPUT) this.#addRaw(rangeOf(reader));
      else reader.skip(tag & 7);
    }
  }

  #setMeta(range: WireRange): void {
    this.#meta = range;
    this.#hasMeta = true;
  }

  #readPlan(message: Buffer): V1Plan {
    this.#readHeader(message);
    const model = this.#v1.find(this.modelName, this.#version === -1 ? '' : String(this.#version));
    this.#plan = this.#forms.known(model, this.#key, this.#particulars) ?? this.#planOf(model, message);
    return this.#plan;
  }

  #addRaw(range: WireRange): void {
    if (this.#raw.length === MOST_RAW_INPUTS) throw invalid(`a request may have ${MOST_RAW_INPUTS} raw_input at most`);
    this.#raw.push(range);
  }

  /** Takes the header apart without reading its tensors. */
  #readHeader(message: Buffer): void {
    const { begin, end } = this.#meta;
    const reader = new WireReader(message, begin, end);
    let correlationId: number | bigint = 0;
    let id: number | bigint = 0;
    let flags = 0;
    let formEnd = -1;
    let isOrdered = true;
    while (!reader.isDone) {
      const { at } = reader;
      const tag = reader.tag();
      const isParticular = tag === CORRELATION_ID || tag === ID || tag === FLAGS;
      if (isParticular && formEnd < 0) formEnd = at;
      if (!isParticular && formEnd >= 0) isOrdered = false;
      if (tag === CORRELATION_ID) correlationId = reader.uint64();
      else if (tag === ID) id = reader.uint64();
      else if (tag === FLAGS) flags = reader.uint32();
      else reader.skip(tag & 7);
    }
    this.#particulars = { correlationId, id, flags };
    this.#key = isOrdered ? message.toString('latin1', begin, formEnd < 0 ? end : formEnd) : '';
  }

  #planOf(model: V1Plan['model'], message: Buffer): V1Plan {
    if (!this.#hasMeta)
      throw invalid(`the request for model '${model.name}' has no meta_data, which names its tensors`);
    const { begin, end } = this.#meta;
    this.#header ??= new V1Message('InferRequestHeader');
    let fields: V1HeaderFields;
    try {
      fields = this.#header.decodePlain(message.subarray(begin, end)) as unknown as V1HeaderFields;
    } catch (error) {
      throw malformed((error as Error).message);
    }
    return this.#forms.plan(model, this.#key, formOf(fields), this.#particulars);
  }

  /** Those that are too many are ignored. */
  #checkRaw({ plan, sizes, model }: V1Plan): void {
    let entry = 0;
    for (let nth = 0; nth < sizes.length; nth++) {
      const { head } = plan.inputs[nth]!;
      if (head.source.kind === 'shared') continue;
      const range = this.#raw[entry++];
      const got = range === undefined ? -1 : range.end - range.begin;
      if (got !== sizes[nth]) throw wrongSize(head.name, model.name, sizes[nth]!, got);
    }
  }
}

/** @param got -1 = there is none */
function wrongSize(input: string, model: string, expected: number, got: number): ServerError {
  const found = got < 0 ? 'no raw_input' : `unexpected size ${got}`;
  return invalid(`${found} for input '${input}', expecting ${expected} for model '${model}'`);
}

function headerRange(reader: WireReader): WireRange {
  const range = rangeOf(reader);
  if (range.end - range.begin <= MOST_HEADER_BYTES) return range;
  throw invalid(`meta_data may have ${MOST_HEADER_BYTES} bytes at most, got ${range.end - range.begin}`);
}

function rangeOf(reader: WireReader): WireRange {
  const length = reader.length();
  const begin = reader.at;
  reader.at += length;
  return { begin, end: reader.at };
}
