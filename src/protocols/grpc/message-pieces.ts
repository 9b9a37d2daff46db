import type { AcceptedRequest, Responder } from '../../core/infer-response.js';
import { type BodyBudget, BodyBuffer } from '../body-buffer.js';
import type { ForwardedHeaders } from '../header-forward.js';
import { IdBytes } from './id-bytes.js';
import { type EntryForm, RawEntries } from './raw-entries.js';
import { FIXED32, FIXED64, LENGTH_DELIMITED, VARINT } from './wire.js';

/** A longer head is not waited for: its tensors are in it, or come before it. */
const LONGEST_HEAD_BYTES = 64 * 1024;

/** head: everything before the raw entries comes in. tensors: they are written to their slot. whole: the message is needed complete. */
type PiecesState = 'head' | 'tensors' | 'whole';

/** Reads what is before the raw entries of messages of one kind, one after another: what it found is in its fields until the next. */
export interface HeadReader<Prepared> extends EntryForm {
  readonly prepared: Prepared;
  /** Where the id lies in the head, as far as that was read. */
  readonly idBegin: number;
  readonly idEnd: number;
  /** As the client wrote it; '' = it was not read yet. */
  readonly modelName: string;
  /** Bytes of each raw entry. */
  readonly sizes: readonly number[];
  /** Throws ServerErrors of reading and of the model's checks. */
  readHead(head: Buffer): void;
  /** The request whose head was read, in its model, with all its tensors to come as raw entries; null = they are not all known to. */
  admitHead(responder: Responder, forwarded: ForwardedHeaders | null): AcceptedRequest | null;
}

/**
 * A large request as it comes in. As soon as all before its raw entries is here, the request takes a slot and its tensors
 * go from the socket's chunk into it. Messages with tensors in the head or in shared memory, with strings (whose size only they know) or with a very long
 * head are collected instead.
 */
export class MessagePieces<Prepared> {
  /** As far as its head could be read; null = it was not yet. */
  prepared: Prepared | null = null;
  readonly id = new IdBytes();
  /** '' = it is not known yet. */
  modelName = '';
  readonly #reader: HeadReader<Prepared>;
  readonly #body: BodyBuffer;
  #responder: Responder | null = null;
  #forwarded: ForwardedHeaders | null = null;
  #state: PiecesState = 'head';
  /** Where the next field begins, as far as fields are whole. */
  #scanned = 0;
  #request: AcceptedRequest | null = null;
  #entries: RawEntries | null = null;

  constructor(reader: HeadReader<Prepared>, budget: BodyBudget) {
    this.#reader = reader;
    this.#body = new BodyBuffer(budget);
  }

  begin(responder: Responder, forwarded: ForwardedHeaders | null = null): void {
    this.clear();
    this.#responder = responder;
    this.#forwarded = forwarded;
  }

  /** Throws ServerErrors: nothing more may be added then. */
  add(piece: Buffer): void {
    if (this.#state === 'tensors') {
      this.#entries!.write(piece, 0);
      return;
    }
    // A head that lies in the first piece is not copied.
    const isFirst = this.#body.length === 0;
    if (!isFirst) this.#body.append(piece);
    if (this.#state === 'head') this.#scan(isFirst ? piece : this.#body.view);
    if (isFirst && !this.#isFilling()) this.#body.append(piece);
  }

  /**
   * The message is complete: the request it filled, which is the caller's from now on, or null = it is `whole`. Throws where the
   * message ends too early.
   */
  finish(): AcceptedRequest | null {
    this.#entries?.end();
    const request = this.#request;
    this.#request = null;
    return request;
  }

  /** The complete message, valid until `clear`. */
  get whole(): Buffer {
    return this.#body.view;
  }

  /** Gives everything back that is not the caller's. */
  clear(): void {
    this.#request?.abandon();
    this.#request = null;
    this.#entries = null;
    this.#responder = null;
    this.#forwarded = null;
    this.prepared = null;
    this.#state = 'head';
    this.#scanned = 0;
    this.#body.clear();
    this.id.clear();
    this.modelName = '';
  }

  #isFilling(): boolean {
    return this.#state === 'tensors';
  }

  /** Moves over whole fields, up to the first raw entry. */
  #scan(bytes: Buffer): void {
    for (;;) {
      const next = bytes[this.#scanned] === this.#reader.entryTag ? -1 : endOfField(bytes, this.#scanned);
      if (next < 0) {
        this.#endHead(bytes);
        return;
      }
      if (next > LONGEST_HEAD_BYTES) {
        this.#state = 'whole';
        return;
      }
      if (next === 0 || next > bytes.length) return;
      this.#scanned = next;
    }
  }

  #endHead(bytes: Buffer): void {
    this.#state = 'whole';
    const head = bytes.subarray(0, this.#scanned);
    // What is no head is understood, or refused, when it is complete.
    const reader = this.#reader;
    if (bytes[this.#scanned] !== reader.entryTag) return;
    try {
      reader.readHead(head);
    } finally {
      this.id.set(head, reader.idBegin, reader.idEnd);
      this.modelName = reader.modelName;
      this.prepared = reader.prepared;
    }
    this.#request = reader.admitHead(this.#responder!, this.#forwarded);
    if (this.#request === null) return;
    this.#entries = new RawEntries(reader, this.#request, reader.sizes, this.id);
    this.#state = 'tensors';
    const begin = this.#scanned;
    this.#entries.write(bytes, begin);
    this.#body.clear();
  }
}

/** Behind the field that begins at `at`, which may be beyond what is there; 0 = that cannot be told yet; -1 = it is no field. */
function endOfField(bytes: Buffer, at: number): number {
  const value = endOfVarint(bytes, at);
  if (value <= 0) return value;
  const wireType = bytes[at]! & 7;
  if (wireType === FIXED64) return value + 8;
  if (wireType === FIXED32) return value + 4;
  if (wireType !== VARINT && wireType !== LENGTH_DELIMITED) return -1;
  const end = endOfVarint(bytes, value);
  if (end <= 0 || wireType === VARINT) return end;
  let length = 0;
  for (let index = value; index < end; index++) length += (bytes[index]! & 0x7f) * 2 ** (7 * (index - value));
  return end + length;
}

/** Behind the varint that begins at `at`; 0 = it is not complete; -1 = it is too long. */
function endOfVarint(bytes: Buffer, at: number): number {
  for (let index = 0; index < 10; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return 0;
    if (byte < 0x80) return at + index + 1;
  }
  return -1;
}
