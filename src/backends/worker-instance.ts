import { assert } from '../base/assert.js';
import type { Log } from '../base/log.js';
import type { Arena, Slot } from '../memory/arena.js';
import {
  ARENA_UNIT,
  DONE,
  NEEDED_UNITS,
  NEEDS_OUTPUT,
  PLACEMENT,
  STATUS,
  STATUS_NO_ROOM,
  STATUS_OK,
  STATUS_PARTS,
} from '../memory/layout.js';
import { RingMemory, RingProducer, readText } from '../memory/ring.js';
import type { CloseReason } from '../telemetry/close-reasons.js';
import { ServerError } from '../types/errors.js';
import { BatchOutputs, executionTimes, OutputForm } from './batch-outputs.js';
import { batchError, died, diedEarly, outOfOutputs } from './failures.js';
import type { Instance, InstanceEvents, InstanceState } from './instance.js';
import { type ChannelOwner, InstanceChannel } from './instance-channel.js';
import type { InstanceSpec } from './instance-spec.js';
import { type BatchRecord, BatchRecords } from './open-batches.js';
import { OutputReserve } from './output-reserve.js';
import type { InferRequest } from './request.js';
import { currentTurn, type TurnMember } from './turn.js';
import { WakePace } from './wake-pace.js';
import type { InstanceInit } from './worker-protocol.js';
import { WorkerThread } from './worker-thread.js';

/** A batch of larger rows is worth its waking alone: the worker begins with it while more arrive. */
const HEAVY_ROW_BYTES = 16 * 1024;

/** One life of one instance: a worker thread, its ring, and the requests that are in it. Died or stopped, it is not used again. */
export class WorkerInstance implements Instance, TurnMember {
  readonly name: string;
  readonly #spec: InstanceSpec;
  readonly #arena: Arena;
  readonly #events: InstanceEvents;
  readonly #log: Log;
  readonly #thread: WorkerThread;
  readonly #channel: InstanceChannel;
  readonly #ring: RingProducer;
  readonly #ringBuffer: SharedArrayBuffer;
  readonly #records = new BatchRecords();
  readonly #form: OutputForm;
  readonly #reserve: OutputReserve;
  readonly #wakesAtOnce: boolean;
  /** The worker writes the shapes of the state where else the text of an error is. */
  readonly #hasVariableState: boolean;
  #state: InstanceState = 'starting';
  #hasServed = false;
  #life: Promise<void> = Promise.resolve();
  readonly #pace = new WakePace();
  #isInTurn = false;
  #willReap = false;

  constructor(spec: InstanceSpec, arena: Arena, events: InstanceEvents, log: Log) {
    this.name = spec.instance;
    this.#spec = spec;
    this.#arena = arena;
    this.#events = events;
    this.#log = log;
    this.#ringBuffer = RingMemory.create(spec.maxEntries);
    this.#ring = new RingProducer(new RingMemory(this.#ringBuffer, spec.maxEntries));
    this.#form = new OutputForm(spec.outputs, spec.batching);
    this.#reserve = new OutputReserve(spec, arena);
    this.#wakesAtOnce =
      spec.wakesAtOnce || spec.inputs.reduce((sum, input) => sum + input.rowBytes, 0) > HEAVY_ROW_BYTES;
    this.#hasVariableState = spec.states.some(({ dims }) => dims.includes(-1));
    this.#thread = new WorkerThread(spec.worker, spec.thread);
    this.#channel = new InstanceChannel(this.#channelOwner(), log);
  }

  get state(): InstanceState {
    return this.#state;
  }

  get isIdle(): boolean {
    if (this.#state !== 'serving' || this.#ring.full) return false;
    return this.#ring.inFlight === 0 || this.#ring.stateOf(this.#ring.newest) === DONE;
  }

  get canBegin(): boolean {
    if (!this.#isUp() || this.#ring.full) return false;
    return this.#ring.inFlight === 0 || !this.#ring.isOpen(this.#ring.newest);
  }

  get openRows(): number {
    if (this.#state !== 'serving' || this.#ring.inFlight === 0 || !this.#ring.isOpen(this.#ring.newest)) return 0;
    return this.#records.at(this.#ring.newest).rows;
  }

  get openKey(): string {
    return this.#records.at(this.#ring.newest).key;
  }

  /** Resolves when the instance serves, or was stopped before it did; rejects with the worker's reason, or that of `onLoaded`. */
  async start(): Promise<void> {
    const first = await this.#thread.start(this.#init(), this.#channel);
    if (first.kind === 'failed') {
      this.#state = 'stopped';
      await this.#thread.close();
      throw new ServerError(first.code, first.message);
    }
    this.#state = 'warming';
    this.#life = this.#thread.life.then((reason) => this.#ended(reason));
    void this.#watch();
    await this.#warmUp();
  }

  begin(requests: readonly InferRequest[], count: number, usual: CloseReason, noted: CloseReason | null): boolean {
    assert(this.canBegin, `instance ${this.name} cannot begin a batch`);
    const sequence = this.#ring.next;
    const record = this.#records.at(sequence);
    for (let i = 0; i < count; i++) {
      this.#write(sequence, i, requests[i]!);
      record.push(requests[i]!);
    }
    const slot = this.#reserve.take(record.rows);
    if (slot === null) {
      record.clear();
      return false;
    }
    record.slot = slot;
    record.key = requests[0]!.batchKey;
    record.closing.begin(usual, noted);
    this.#ring.open(slot.offset / ARENA_UNIT, slot.bytes / ARENA_UNIT, count);
    this.#came(record, record.rows);
    return true;
  }

  grow(request: InferRequest): boolean {
    const sequence = this.#ring.newest;
    const record = this.#records.at(sequence);
    if (record.rows + request.rows > this.#spec.maxRows) return false;
    if (!this.#append(sequence, record, request)) return false;
    record.closing.change(record.rows === this.#spec.maxRows ? 'full' : null);
    this.#came(record, request.rows);
    return true;
  }

  noteClosing(reason: CloseReason | null): void {
    const { closing, rows } = this.#records.at(this.#ring.newest);
    if (reason === null) closing.admit(rows > 1 && rows === this.#spec.maxRows);
    else closing.note(reason);
  }

  replace(requests: readonly InferRequest[], count: number, reason: CloseReason | null): boolean {
    if (this.#ring.inFlight === 0) return false;
    const sequence = this.#ring.newest;
    const record = this.#records.at(sequence);
    if (!this.#ring.edit(sequence, record.count)) return false;
    if (count === 0) {
      this.#arena.give(record.slot as Slot);
      record.clear();
      this.#ring.retract();
      return true;
    }
    let changed = 0;
    for (let i = 0; i < count; i++) {
      if (i < record.count && record.requests[i] === requests[i]) continue;
      this.#write(sequence, i, requests[i]!);
      changed++;
    }
    record.become(requests, count);
    record.closing.change(reason);
    this.#ring.reopen(sequence, count);
    this.#came(record, changed);
    // A worker that looked meanwhile took it for none.
    this.#ring.ring();
    return true;
  }

  withdraw(request: InferRequest): boolean {
    if (this.#ring.inFlight === 0) return false;
    const { requests, count } = this.#records.at(this.#ring.newest);
    const index = requests.indexOf(request);
    if (index < 0 || index >= count) return false;
    return this.replace(requests.slice(0, count).toSpliced(index, 1), count - 1, null);
  }

  /** Finishes what was begun, then ends the thread. */
  async stop(): Promise<void> {
    // Code that loads may take as long as it likes; nothing of it is kept.
    if (this.#state === 'starting' && this.#spec.thread.isFresh) await this.#thread.kill();
    if (this.#isUp()) {
      this.#state = 'stopped';
      this.#ring.stop();
    }
    await this.#life;
  }

  /** Ends the thread wherever it is: in-flight requests fail. */
  async kill(): Promise<void> {
    await this.#thread.kill();
    await this.#life;
  }

  /** Its worker takes batches. */
  #isUp(): boolean {
    return this.#state === 'serving' || this.#state === 'warming';
  }

  async #warmUp(): Promise<void> {
    try {
      await this.#events.onLoaded(this);
      if (this.#state === 'dead') throw diedEarly(this.#spec.model, this.name);
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.#state !== 'warming') return;
    this.#state = 'serving';
    this.#hasServed = true;
    this.#events.onState(this, '');
  }

  #channelOwner(): ChannelOwner {
    return {
      ...this.#spec,
      arena: this.#arena,
      form: this.#form,
      recordOf: (sequence) => (this.#ring.has(sequence) ? this.#records.at(sequence) : null),
      isOpen: (sequence) => this.#ring.isOpen(sequence),
      onMetric: (metric) => this.#events.onMetric(metric, this.name),
      openCalls: (post) => this.#events.openCalls(post),
      onStalled: (isStalled) => this.#events.onStalled(isStalled),
      post: (message) => this.#thread.post(message),
    };
  }

  #init(): Omit<InstanceInit, 'port'> {
    return { ...this.#spec, arena: this.#arena.buffer, ring: this.#ringBuffer };
  }

  /** `rows` of the open batch are new: looks whether the worker should begin, and whether it has ended one meanwhile. */
  #came(record: BatchRecord, rows: number): void {
    const isFull = record.rows === this.#spec.maxRows;
    if (this.#pace.add(rows) || isFull || this.#wakesAtOnce) this.#ring.ring();
    currentTurn.add(rows);
    if (!this.#isInTurn) {
      this.#isInTurn = true;
      currentTurn.join(this);
    }
    if (this.#willReap || !this.#pace.mayLook || this.#ring.stateOf(this.#ring.oldest) !== DONE) return;
    // Its clients work on while the rest of this turn is read.
    this.#willReap = true;
    process.nextTick(this.#reapSoon);
  }

  /** All that came in this turn is in its batch. */
  endTurn(turnRows: number): void {
    this.#isInTurn = false;
    this.#pace.endTurn(turnRows);
    this.#ring.ring();
  }

  readonly #reapSoon = (): void => {
    this.#willReap = false;
    this.#pace.looked();
    this.#reap();
  };

  #append(sequence: number, record: BatchRecord, request: InferRequest): boolean {
    const units = request.slotOffset / ARENA_UNIT;
    if (this.#spec.inParts) this.#channel.entered(request, sequence, record.count);
    if (!this.#ring.append(sequence, record.count, units, request.row, request.rows, request.state)) return false;
    record.push(request);
    return true;
  }

  #write(sequence: number, index: number, request: InferRequest): void {
    const units = request.slotOffset / ARENA_UNIT;
    if (this.#spec.inParts) this.#channel.entered(request, sequence, index);
    this.#ring.write(sequence, index, units, request.row, request.rows, request.state);
  }

  /** Looks at the ring whenever the worker did something, until the instance is dead. */
  async #watch(): Promise<void> {
    while (this.#isUp() || this.#ring.inFlight > 0) {
      const seen = this.#ring.events;
      this.#reap();
      // Answers leave in microtasks: before it is made ready to be woken again.
      await null;
      const event = this.#ring.nextEvent(seen);
      if (event !== null) await event;
      if (this.#state === 'dead') return;
    }
  }

  #reap(): void {
    while (this.#ring.inFlight > 0) {
      const sequence = this.#ring.oldest;
      const state = this.#ring.stateOf(sequence);
      if (state === NEEDS_OUTPUT) this.#giveOutput(sequence);
      if (state !== DONE) return;
      this.#finish(sequence);
    }
  }

  #giveOutput(sequence: number): void {
    const { words } = this.#ring.memory;
    const record = this.#records.at(sequence);
    const bytes = words[this.#ring.memory.base(sequence) + NEEDED_UNITS]! * ARENA_UNIT;
    record.slot = this.#reserve.exchange(record.slot, bytes);
    this.#ring.giveOutput(sequence, (record.slot?.offset ?? 0) / ARENA_UNIT, (record.slot?.bytes ?? 0) / ARENA_UNIT);
  }

  /** Frees the batch's place and lets the scheduler fill it before the answers are written: the worker must not wait for them. */
  #finish(sequence: number): void {
    const { memory } = this.#ring;
    const base = memory.base(sequence);
    const status = memory.words[base + STATUS]!;
    const record = this.#records.detach(sequence);
    this.#channel.left(sequence, record, status === STATUS_PARTS);
    if (status === STATUS_OK || status === STATUS_PARTS) {
      const outputs = this.#outputsOf(record, base);
      this.#ring.release();
      this.#events.onRoom();
      this.#complete(record, outputs);
      return;
    }
    const error = status === STATUS_NO_ROOM ? outOfOutputs(this.#spec.model) : batchError(memory, base);
    this.#ring.release();
    this.#events.onRoom();
    this.#fail(record, error);
  }

  #outputsOf(record: BatchRecord, base: number): BatchOutputs {
    const { memory } = this.#ring;
    const slot = record.slot as Slot;
    const outputs = new BatchOutputs(this.#arena, slot, this.#form, {
      rows: record.rows,
      entries: record.count,
      reason: record.closing.reason,
      instance: this.name,
      requests: record.requests,
      times: executionTimes(memory, base),
      contiguous: memory.words[base + PLACEMENT] === 0,
      inParts: memory.words[base + STATUS] === STATUS_PARTS,
      stateKey: this.#hasVariableState ? readText(memory, base) : '',
    });
    if (this.#reserve.isGuess) outputs.trim();
    return outputs;
  }

  #complete(record: BatchRecord, outputs: BatchOutputs): void {
    this.#events.onExecuted(outputs);
    let firstRow = 0;
    for (let index = 0; index < record.count; index++) {
      const request = record.requests[index]!;
      request.complete(outputs, index, firstRow);
      firstRow += request.rows;
    }
  }

  #fail(record: BatchRecord, error: ServerError): void {
    if (record.slot !== null) this.#arena.give(record.slot);
    for (let index = 0; index < record.count; index++) record.requests[index]!.fail(error, 'BACKEND');
  }

  /** The worker is gone. What it had published is answered, what it ran fails, what it had not begun is queued again. */
  async #ended(reason: string): Promise<void> {
    this.#reap();
    const before = this.#state;
    this.#state = before === 'stopped' ? 'stopped' : 'dead';
    this.#ring.wakeSelf();
    if (before === 'serving') this.#log.error(`instance '${this.name}' of model '${this.#spec.model}' died: ${reason}`);
    const error = died(this.#spec.model, this.name, reason, before === 'serving');
    this.#abandon(error);
    this.#channel.close(error);
    // Until it serves, who starts it is told by `start`.
    if (before !== 'warming') this.#events.onState(this, reason);
    await this.#thread.close();
  }

  #abandon(error: ServerError): void {
    while (this.#ring.inFlight > 0) {
      const sequence = this.#ring.oldest;
      const begun = !this.#ring.isOpen(sequence);
      const record = this.#records.detach(sequence);
      this.#channel.left(sequence, record, false);
      this.#ring.release();
      // The scheduler has begun what is in an instance that served, `onLoaded` what is in others.
      if (begun || !this.#hasServed) this.#fail(record, error);
      else this.#return(record);
    }
  }

  #return(record: BatchRecord): void {
    if (record.slot !== null) this.#arena.give(record.slot);
    this.#events.onReturned(record.requests.slice(0, record.count));
  }
}
