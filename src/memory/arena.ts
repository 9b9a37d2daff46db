import { assert } from '../base/assert.js';

/** Every slot begins on a cache line, so that any typed view fits and no two slots share one. */
export const SLOT_ALIGN = 64;

/** Each power of two of sizes is cut into this many bins; a slot is at most a quarter larger than its bin's first. */
const BINS_PER_DOUBLING = 4;
const BINS = 32 * BINS_PER_DOUBLING;

/** Inputs may not take the last part of the arena, so that whatever was accepted finds room for its outputs. */
const OUTPUT_RESERVE = 0.25;

/** For whom a slot was taken; told apart by identity. For whoever counts bytes. */
export interface SlotOwner {
  readonly kind: 'input' | 'output';
}

/** A piece of the arena. Its taker owns it until it is given back. */
export class Slot {
  offset: number;
  bytes: number;
  /** Who still reads or writes it; kept by the owner, 0 while nobody but the owner does. */
  readers = 0;
  /** Null = nobody counts it. */
  owner: SlotOwner | null = null;
  /** The rest is the arena's: neighbours by address, and the list of free slots of about this size. */
  isFree = false;
  before: Slot | null = null;
  after: Slot | null = null;
  binBefore: Slot | null = null;
  binAfter: Slot | null = null;

  constructor(offset: number, bytes: number) {
    this.offset = offset;
    this.bytes = bytes;
  }
}

/**
 * All tensor memory of the server: one SharedArrayBuffer, mapped by every worker, so that an offset means the same in each
 * thread and an output can be another model's input. The main thread alone takes and gives.
 *
 * Segregated fit with immediate joining of neighbours: exact sizes (rounded up to 64 bytes), take and give in constant time.
 * The operating system backs a page only when it is first written.
 */
export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** As 64-bit floats: tensor tables (layout.ts). */
  readonly table: Float64Array;
  readonly capacity: number;
  #used = 0;
  #slots = 0;
  /** That at offset 0, always: slots are joined to those before them. */
  readonly #first: Slot;
  readonly #bins: (Slot | null)[] = new Array(BINS).fill(null);

  /** @param capacity bytes; rounded down to a multiple of 64 */
  constructor(capacity: number) {
    this.capacity = Math.floor(capacity / SLOT_ALIGN) * SLOT_ALIGN;
    this.buffer = new SharedArrayBuffer(this.capacity);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Int32Array(this.buffer);
    this.table = new Float64Array(this.buffer);
    this.#first = new Slot(0, this.capacity);
    this.#insert(this.#first);
  }

  /** Bytes handed out. */
  get used(): number {
    return this.#used;
  }

  /** Slots handed out: 0 when everything came back. */
  get slots(): number {
    return this.#slots;
  }

  /** Room for an input, which must leave the reserve for outputs; null = refuse the request. */
  takeInput(bytes: number, owner: SlotOwner | null = null): Slot | null {
    if (this.#used + bytes > this.capacity * (1 - OUTPUT_RESERVE)) return null;
    return this.take(bytes, owner);
  }

  /** At least `bytes` bytes (0 counts as 1), contents undefined; null where there is no room. */
  take(bytes: number, owner: SlotOwner | null = null): Slot | null {
    const size = Math.max(1, Math.ceil(bytes / SLOT_ALIGN)) * SLOT_ALIGN;
    const slot = this.#find(size);
    if (slot === null) return null;
    this.#remove(slot);
    if (slot.bytes > size) this.#split(slot, size);
    this.#used += size;
    this.#slots++;
    slot.owner = owner;
    return slot;
  }

  /** All slots that have an owner; takes as long as there are slots. */
  *owned(): Generator<Slot & { readonly owner: SlotOwner }> {
    for (let slot: Slot | null = this.#first; slot !== null; slot = slot.after) {
      if (slot.owner !== null) yield slot as Slot & { readonly owner: SlotOwner };
    }
  }

  give(slot: Slot): void {
    assert(!slot.isFree, 'a slot was given back twice');
    this.#used -= slot.bytes;
    this.#slots--;
    slot.readers = 0;
    slot.owner = null;
    let whole = slot;
    const { before, after } = slot;
    if (after?.isFree) this.#join(slot, after);
    if (before?.isFree) {
      this.#remove(before);
      this.#absorb(before, slot);
      whole = before;
    }
    this.#insert(whole);
  }

  /** Gives back what lies behind the first `bytes` bytes of a slot. */
  trim(slot: Slot, bytes: number): void {
    const size = Math.max(SLOT_ALIGN, alignUp(bytes));
    if (size >= slot.bytes) return;
    this.#used -= slot.bytes - size;
    this.#split(slot, size);
    const rest = slot.after!;
    if (!rest.after?.isFree) return;
    this.#remove(rest);
    this.#join(rest, rest.after);
    this.#insert(rest);
  }

  /** The slot of the same bin that came back last (its pages are warm) if it fits, else a surely larger one, else any that fits. */
  #find(size: number): Slot | null {
    const own = binOf(size);
    const warm = this.#bins[own] ?? null;
    if (warm !== null && warm.bytes >= size) return warm;
    for (let bin = own + 1; bin < BINS; bin++) {
      const slot = this.#bins[bin];
      if (slot) return slot;
    }
    let slot = warm;
    while (slot !== null && slot.bytes < size) slot = slot.binAfter;
    return slot;
  }

  #split(slot: Slot, size: number): void {
    const rest = new Slot(slot.offset + size, slot.bytes - size);
    rest.before = slot;
    rest.after = slot.after;
    if (rest.after) rest.after.before = rest;
    slot.after = rest;
    slot.bytes = size;
    this.#insert(rest);
  }

  #join(slot: Slot, free: Slot): void {
    this.#remove(free);
    this.#absorb(slot, free);
  }

  #absorb(first: Slot, second: Slot): void {
    first.bytes += second.bytes;
    first.after = second.after;
    if (first.after) first.after.before = first;
    second.isFree = true;
  }

  #insert(slot: Slot): void {
    const bin = binOf(slot.bytes);
    const head = this.#bins[bin] ?? null;
    slot.isFree = true;
    slot.binBefore = null;
    slot.binAfter = head;
    if (head) head.binBefore = slot;
    this.#bins[bin] = slot;
  }

  #remove(slot: Slot): void {
    if (slot.binBefore) slot.binBefore.binAfter = slot.binAfter;
    else this.#bins[binOf(slot.bytes)] = slot.binAfter;
    if (slot.binAfter) slot.binAfter.binBefore = slot.binBefore;
    slot.binBefore = null;
    slot.binAfter = null;
    slot.isFree = false;
  }
}

/** Four bins per doubling of the size in units of 64 bytes. */
function binOf(bytes: number): number {
  const units = bytes / SLOT_ALIGN;
  const exponent = 31 - Math.clz32(units);
  const quarter = exponent < 2 ? 0 : (units >>> (exponent - 2)) & 3;
  return exponent * BINS_PER_DOUBLING + quarter;
}

/** `bytes` rounded up to a multiple of the slot alignment: what a part of a slot takes so that the next part is aligned too. */
export function alignUp(bytes: number): number {
  return Math.ceil(bytes / SLOT_ALIGN) * SLOT_ALIGN;
}
