import {
  ASLEEP,
  BATCHES,
  BELL,
  batchWords,
  DONE,
  EDIT,
  ENTRIES,
  ENTRY_OFFSET,
  ENTRY_ROW,
  ENTRY_ROWS,
  ENTRY_STATE,
  ENTRY_WORDS,
  EVENTS,
  FREE,
  NEEDS_OUTPUT,
  NO_STATE,
  OPEN,
  OUTPUT_GIVEN,
  OUTPUT_OFFSET,
  OUTPUT_UNITS,
  RING_BATCHES,
  ringBytes,
  SEALED,
  STATE,
  STATE_BITS,
  STATE_MASK,
  STOP,
  TEXT,
  TEXT_BYTES,
  TIMES,
} from './layout.js';

/** Both threads' view of the words of one instance. The only file that uses Atomics; `layout.ts` says what each word means. */
export class RingMemory {
  readonly words: Int32Array;
  readonly times: Float64Array;
  readonly text: Uint8Array;
  readonly maxEntries: number;
  readonly #stride: number;

  /** @param maxEntries requests a batch can hold: the model's max_batch_size, at least 1 */
  constructor(buffer: SharedArrayBuffer, maxEntries: number) {
    this.words = new Int32Array(buffer);
    this.times = new Float64Array(buffer);
    this.text = new Uint8Array(buffer);
    this.maxEntries = maxEntries;
    this.#stride = batchWords(maxEntries);
  }

  static create(maxEntries: number): SharedArrayBuffer {
    return new SharedArrayBuffer(ringBytes(maxEntries));
  }

  /** Index of the first word of batch `sequence`: batches use the ring's places in turn. */
  base(sequence: number): number {
    return BATCHES + (sequence % RING_BATCHES) * this.#stride;
  }

  /** Time `index` of the batch, in microseconds; see TIMES. */
  time(base: number, index: number): number {
    return this.times[(base + TIMES) / 2 + index]!;
  }

  setTime(base: number, index: number, us: number): void {
    this.times[(base + TIMES) / 2 + index] = us;
  }

  entry(base: number, index: number): number {
    return base + ENTRIES + index * ENTRY_WORDS;
  }
}

/** The main thread's end: opens batches, appends requests, learns what is done. Nothing here blocks. */
export class RingProducer {
  readonly memory: RingMemory;
  /** Number of the next batch to open; all before `#tail` are free again. */
  #head = 0;
  #tail = 0;

  constructor(memory: RingMemory) {
    this.memory = memory;
  }

  /** Batches opened and not yet released. */
  get inFlight(): number {
    return this.#head - this.#tail;
  }

  get full(): boolean {
    return this.inFlight === RING_BATCHES;
  }

  /** The oldest batch that was not released, and the newest; only where `inFlight` > 0. */
  get oldest(): number {
    return this.#tail;
  }

  get newest(): number {
    return this.#head - 1;
  }

  /** The batch was opened and not yet released. */
  has(sequence: number): boolean {
    return sequence >= this.#tail && sequence < this.#head;
  }

  /** Number that the next batch will have: its entries are written before `open` shows it to the worker. Only when not full. */
  get next(): number {
    return this.#head;
  }

  open(outputOffsetUnits: number, outputUnits: number, entries: number): void {
    const { words } = this.memory;
    const base = this.memory.base(this.#head);
    words[base + OUTPUT_OFFSET] = outputOffsetUnits;
    words[base + OUTPUT_UNITS] = outputUnits;
    Atomics.store(words, base + STATE, OPEN | (entries << STATE_BITS));
    this.#head++;
  }

  /** False = the worker has sealed the batch: the request belongs to the next one. `index` is the number of entries so far, `kept` its ENTRY_STATE. */
  append(sequence: number, index: number, offsetUnits: number, row: number, rows: number, kept = NO_STATE): boolean {
    this.write(sequence, index, offsetUnits, row, rows, kept);
    const state = this.memory.base(sequence) + STATE;
    const expected = OPEN | (index << STATE_BITS);
    const next = OPEN | ((index + 1) << STATE_BITS);
    return Atomics.compareExchange(this.memory.words, state, expected, next) === expected;
  }

  /** Fills entry `index` without making it visible: part of `append`, and of changing a batch between `edit` and `reopen`. */
  write(sequence: number, index: number, offsetUnits: number, row: number, rows: number, kept = NO_STATE): void {
    const { words } = this.memory;
    const entry = this.memory.entry(this.memory.base(sequence), index);
    words[entry + ENTRY_OFFSET] = offsetUnits;
    words[entry + ENTRY_ROW] = row;
    words[entry + ENTRY_ROWS] = rows;
    words[entry + ENTRY_STATE] = kept;
  }

  isOpen(sequence: number): boolean {
    return (Atomics.load(this.memory.words, this.memory.base(sequence) + STATE) & STATE_MASK) === OPEN;
  }

  /** Takes an open batch back to change its entries; false = too late. Must be followed by `reopen` within microseconds. */
  edit(sequence: number, entries: number): boolean {
    const expected = OPEN | (entries << STATE_BITS);
    const state = this.memory.base(sequence) + STATE;
    return Atomics.compareExchange(this.memory.words, state, expected, EDIT | (entries << STATE_BITS)) === expected;
  }

  reopen(sequence: number, entries: number): void {
    Atomics.store(this.memory.words, this.memory.base(sequence) + STATE, OPEN | (entries << STATE_BITS));
  }

  /** Takes back the newest batch altogether, between `edit` and `reopen`: it never was. */
  retract(): void {
    this.#head--;
    Atomics.store(this.memory.words, this.memory.base(this.#head) + STATE, FREE);
  }

  /** DONE, NEEDS_OUTPUT or something the main thread need not act on. */
  stateOf(sequence: number): number {
    return Atomics.load(this.memory.words, this.memory.base(sequence) + STATE) & STATE_MASK;
  }

  /** Answers NEEDS_OUTPUT; 0 units = there is no room. */
  giveOutput(sequence: number, offsetUnits: number, units: number): void {
    const { words } = this.memory;
    const base = this.memory.base(sequence);
    words[base + OUTPUT_OFFSET] = offsetUnits;
    words[base + OUTPUT_UNITS] = units;
    Atomics.store(words, base + STATE, OUTPUT_GIVEN);
    Atomics.notify(words, base + STATE);
  }

  /** The oldest batch's words are free for the next one. */
  release(): void {
    Atomics.store(this.memory.words, this.memory.base(this.#tail) + STATE, FREE);
    this.#tail++;
  }

  /** Wakes the worker if it sleeps. */
  ring(): void {
    const { words } = this.memory;
    if (Atomics.load(words, ASLEEP) === 0) return;
    Atomics.add(words, BELL, 1);
    Atomics.notify(words, BELL);
  }

  stop(): void {
    const { words } = this.memory;
    Atomics.store(words, STOP, 1);
    Atomics.add(words, BELL, 1);
    Atomics.notify(words, BELL);
  }

  /** Counts the worker's events. Read it before looking at batches, then give it to `nextEvent`. */
  get events(): number {
    return Atomics.load(this.memory.words, EVENTS);
  }

  /** Resolves when the worker's event counter is no longer `seen`; null = it is not already. */
  nextEvent(seen: number): Promise<unknown> | null {
    const wait = Atomics.waitAsync(this.memory.words, EVENTS, seen);
    return wait.async ? wait.value : null;
  }

  /** Resolves a pending `nextEvent` although the worker did nothing: the instance is gone. */
  wakeSelf(): void {
    Atomics.add(this.memory.words, EVENTS, 1);
    Atomics.notify(this.memory.words, EVENTS);
  }
}

/** The worker's end. `next` blocks the thread, so the worker has no other work in flight; `nextSoon` does not. */
export class RingConsumer {
  readonly memory: RingMemory;
  #sequence = 0;

  constructor(memory: RingMemory) {
    this.memory = memory;
  }

  /** Seals the next batch and returns its number of entries; its words begin at `base`. 0 = stop. */
  next(): number {
    for (;;) {
      const bell = Atomics.load(this.memory.words, BELL);
      const entries = this.#seal();
      if (entries > 0) return entries;
      if (Atomics.load(this.memory.words, STOP) === 1) return 0;
      this.#sleep(bell);
    }
  }

  /** As `next`, while the thread's event loop lives on. */
  async nextSoon(): Promise<number> {
    const { words } = this.memory;
    for (;;) {
      const bell = Atomics.load(words, BELL);
      const entries = this.#seal();
      if (entries > 0) return entries;
      if (Atomics.load(words, STOP) === 1) return 0;
      const wait = this.#fallAsleep() ? Atomics.waitAsync(words, BELL, bell) : null;
      if (wait?.async) await wait.value;
      Atomics.store(words, ASLEEP, 0);
    }
  }

  /** Number of the batch that was sealed last, as the main thread counts them. */
  get sequence(): number {
    return this.#sequence;
  }

  /** First word of that batch. */
  get base(): number {
    return this.memory.base(this.#sequence);
  }

  /** Publishes the batch and goes on to the next place. */
  done(): void {
    Atomics.store(this.memory.words, this.base + STATE, DONE);
    this.#sequence++;
    this.#tellMain();
  }

  /** Asks the main thread for a larger output slot and waits for it; its answer is in OUTPUT_OFFSET and OUTPUT_UNITS. */
  awaitOutput(): void {
    const { words } = this.memory;
    const state = this.base + STATE;
    Atomics.store(words, state, NEEDS_OUTPUT);
    this.#tellMain();
    while (Atomics.load(words, state) !== OUTPUT_GIVEN && Atomics.load(words, STOP) === 0) {
      Atomics.wait(words, state, NEEDS_OUTPUT, 1000);
    }
  }

  /** Writes the error text of the batch, cut to what fits. */
  writeText(text: string): void {
    const begin = (this.base + TEXT) * 4;
    const room = (ENTRIES - TEXT) * 4;
    const bytes = Buffer.from(text);
    const length = Math.min(bytes.length, room);
    this.memory.text.set(bytes.subarray(0, length), begin);
    this.memory.words[this.base + TEXT_BYTES] = length;
  }

  #seal(): number {
    const { words } = this.memory;
    const state = this.base + STATE;
    for (;;) {
      const seen = Atomics.load(words, state);
      const entries = seen >> STATE_BITS;
      const kind = seen & STATE_MASK;
      if (kind === EDIT) continue;
      if (kind !== OPEN || entries === 0) return 0;
      if (Atomics.compareExchange(words, state, seen, SEALED) === seen) return entries;
    }
  }

  #sleep(bell: number): void {
    const { words } = this.memory;
    if (this.#fallAsleep()) Atomics.wait(words, BELL, bell);
    Atomics.store(words, ASLEEP, 0);
  }

  /** Says that the worker sleeps; false = there is something to do. */
  #fallAsleep(): boolean {
    const { words } = this.memory;
    Atomics.store(words, ASLEEP, 1);
    // Looked at again after saying so: an append before it would have seen a worker awake and not rung.
    const state = Atomics.load(words, this.base + STATE);
    const idle = (state & STATE_MASK) !== OPEN || state >> STATE_BITS === 0;
    return idle && Atomics.load(words, STOP) === 0;
  }

  #tellMain(): void {
    Atomics.add(this.memory.words, EVENTS, 1);
    Atomics.notify(this.memory.words, EVENTS);
  }
}

/** The error text of a batch, read by the main thread. */
export function readText(memory: RingMemory, base: number): string {
  const begin = (base + TEXT) * 4;
  const length = memory.words[base + TEXT_BYTES]!;
  return Buffer.from(memory.text.slice(begin, begin + length)).toString('utf8');
}
