import type { Arena, Slot, SlotOwner } from '../memory/arena.js';
import { ABSENT, lineOf, tableBytes, writeLine } from '../memory/layout.js';
import { ServerError } from '../types/errors.js';
import { BatchOutputs, type ExecutionTimes, type OutputForm } from './batch-outputs.js';
import type { AnswerError, AnswerTimes, WorkerEvent } from './channel-protocol.js';
import type { InferRequest, RequestRunner } from './request.js';

/** So many answers may wait for their client; the model waits then. */
const UNREAD_MAX = 8;

/** What answers of all requests of an instance share. */
export interface AnswerSurroundings {
  readonly arena: Arena;
  readonly form: OutputForm;
  readonly outputOwner: SlotOwner;
  /** Goes to the worker. */
  tell(event: WorkerEvent): void;
  /** The model waits for answers to be read, or goes on: told in turns. */
  onStalled(isStalled: boolean): void;
}

/** A request of a decoupled model whose last answer was not there yet. */
export class OpenRequest implements RequestRunner {
  readonly request: InferRequest;
  /** The last answer was there: nothing is to be done but to wait for the end of its execution. */
  isOver = false;
  readonly #key: number;
  readonly #surroundings: AnswerSurroundings;
  /** The worker writes its next answer there. */
  #granted: Slot | null = null;
  /** What the next answer needs, as long as it has to wait; 0 = nothing is asked for. */
  #askedBytes = 0;
  /** The worker waits for it. */
  #isNeeded = false;
  #isStalled = false;

  constructor(request: InferRequest, key: number, surroundings: AnswerSurroundings) {
    this.request = request;
    this.#key = key;
    this.#surroundings = surroundings;
    request.watch(this);
  }

  onRead(): void {
    this.#grant();
  }

  onCancelled(): void {
    if (!this.isOver) this.#surroundings.tell({ kind: 'cancelled', key: this.#key });
  }

  ask(bytes: number, isReturned: boolean): void {
    if (this.#granted !== null && !isReturned) return;
    this.#giveBack();
    this.#askedBytes = bytes;
    this.#isNeeded = true;
    this.#grant();
  }

  answer(isFinal: boolean, times: AnswerTimes): void {
    const slot = this.#granted!;
    const outputs = this.#outputsIn(slot, times);
    this.#granted = null;
    this.#askedBytes = isFinal ? 0 : slot.bytes;
    this.#isNeeded = false;
    outputs.trim();
    if (isFinal) this.#close();
    this.request.respond(outputs, isFinal);
    // The next one is likely to be like it, and need not wait for its memory then.
    this.#grant();
  }

  end(error: AnswerError | null): void {
    this.#close();
    if (error === null) this.request.respond(null, true);
    else this.#fail(error);
  }

  /** What it says next it says under another key. */
  reschedule(): void {
    this.#close();
    this.request.reschedule();
  }

  /** Whoever runs it fails it. */
  drop(): void {
    this.#close();
  }

  /** Its worker is gone, and its execution was over: that was all where nobody waits for answers. */
  abandon(error: ServerError): void {
    const isFailed = !this.isOver && this.request.isAwaited;
    this.#close();
    if (isFailed) this.request.fail(error, 'BACKEND');
  }

  #close(): void {
    this.isOver = true;
    this.#askedBytes = 0;
    this.#setStalled(false);
    this.#giveBack();
    this.request.watch(null);
  }

  #giveBack(): void {
    if (this.#granted !== null) this.#surroundings.arena.give(this.#granted);
    this.#granted = null;
  }

  #grant(): void {
    const bytes = this.#askedBytes;
    const isUnread = bytes > 0 && this.request.unread >= UNREAD_MAX;
    this.#setStalled(isUnread && this.#isNeeded);
    if (bytes === 0 || isUnread) return;
    this.#askedBytes = 0;
    // The worker has been told, and waits for nothing any more.
    if (this.request.cancelled) return;
    this.#granted = this.#surroundings.arena.take(bytes, this.#surroundings.outputOwner);
    if (this.#granted === null && !this.#isNeeded) return;
    const { offset, bytes: room } = this.#granted ?? { offset: 0, bytes: 0 };
    this.#surroundings.tell({ kind: 'grant', key: this.#key, offset, bytes: room });
  }

  #setStalled(isStalled: boolean): void {
    if (isStalled === this.#isStalled) return;
    this.#isStalled = isStalled;
    this.#surroundings.onStalled(isStalled);
  }

  /** An answer that is nothing but an error. */
  #fail({ code, message }: AnswerError): void {
    const { arena, form, outputOwner } = this.#surroundings;
    const note = Buffer.from(JSON.stringify({ error: { code, message } }));
    const begin = tableBytes(form.count + 1, 0);
    const slot = arena.take(begin + note.length, outputOwner);
    if (slot === null) {
      this.request.fail(new ServerError(code, message), 'BACKEND');
      return;
    }
    for (let index = 0; index < form.count; index++) writeLine(arena.table, lineOf(slot.offset, index), ABSENT, 0, []);
    writeLine(arena.table, lineOf(slot.offset, form.count), begin, note.length, []);
    arena.bytes.set(note, slot.offset + begin);
    this.request.respond(this.#outputsIn(slot, { startUs: 0, inferUs: 0, endUs: 0 }), true);
  }

  #outputsIn(slot: Slot, { startUs, inferUs, endUs }: AnswerTimes): BatchOutputs {
    const times: ExecutionTimes = { startUs, inputsUs: startUs, inferUs, endUs };
    const { rows } = this.request;
    const reason = 'idle_instance' as const;
    const requests = [this.request];
    const instance = '';
    const batch = {
      rows,
      entries: 1,
      times,
      contiguous: true,
      reason,
      instance,
      requests,
      stateKey: '',
      inParts: true,
    };
    return new BatchOutputs(this.#surroundings.arena, slot, this.#surroundings.form, batch);
  }
}
