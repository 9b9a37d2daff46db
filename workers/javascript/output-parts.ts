import type { InstanceInit, TensorLayout } from '../../src/backends/worker-protocol.js';
import { copyBytes } from '../../src/memory/copy.js';
import {
  ABSENT,
  ARENA_UNIT,
  lineOf,
  NEEDED_UNITS,
  OUTPUT_OFFSET,
  OUTPUT_UNITS,
  tableBytes,
  writeLine,
} from '../../src/memory/layout.js';
import type { RingConsumer } from '../../src/memory/ring.js';

/** What any element is aligned to. */
const ALIGN = 8;

/** Memory for an output: in the slot, or of its own until the end of the batch. */
export interface Region {
  readonly bytes: Uint8Array;
  /** Byte position from the start of the slot; -1 = it lies outside. */
  readonly begin: number;
}

/** One output of one request, or what is said of it: a piece of a region. */
interface Part {
  readonly region: Region;
  readonly at: number;
  readonly bytes: number;
  readonly dims: readonly number[];
}

/** There is no room for the outputs of the batch. */
export class NoRoomForParts extends Error {}

/** Places the outputs of each request of a batch in its output slot, and writes their tables (STATUS_PARTS of memory/layout.ts). */
export class OutputParts {
  readonly #ring: RingConsumer;
  readonly #arena: Uint8Array;
  readonly #table: Float64Array;
  /** Of each request: its outputs, and its note. */
  readonly #lines: number;
  #entries = 0;
  #parts: (Part | null)[] = [];
  /** End of what is placed in the slot, from its start. */
  #end = 0;

  constructor(init: InstanceInit, ring: RingConsumer) {
    this.#ring = ring;
    this.#arena = new Uint8Array(init.arena);
    this.#table = new Float64Array(init.arena);
    this.#lines = (init.outputs as readonly TensorLayout[]).length + 1;
  }

  /** The outputs of another batch follow. */
  begin(entries: number): void {
    this.#entries = entries;
    this.#parts = new Array<Part | null>(entries * this.#lines).fill(null);
    this.#end = this.#tableEnd;
  }

  /** Zeroed: memory of the slot still has what others answered. */
  take(bytes: number): Region {
    const begin = align(this.#end);
    if (begin + bytes > this.#slotBytes) return { bytes: new Uint8Array(bytes), begin: -1 };
    this.#end = begin + bytes;
    const there = this.#arena.subarray(this.#slot + begin, this.#slot + begin + bytes);
    there.fill(0);
    return { bytes: there, begin };
  }

  set(entry: number, output: number, part: Part): void {
    this.#parts[entry * this.#lines + output] = part;
  }

  has(entry: number, output: number): boolean {
    return this.#parts[entry * this.#lines + output] !== null;
  }

  /** The request has no outputs. */
  drop(entry: number): void {
    this.#parts.fill(null, entry * this.#lines, (entry + 1) * this.#lines);
  }

  /** What is to be said of a request, as JSON. */
  note(entry: number, text: string): void {
    const bytes = Buffer.from(text);
    const region = { bytes, begin: -1 };
    this.set(entry, this.#lines - 1, { region, at: 0, bytes: bytes.length, dims: [] });
  }

  /** Brings everything into the slot, asking for a larger one where it must. Throws NoRoomForParts. */
  finish(): void {
    if (!this.#fits()) this.#move();
    const begins = new Map<Region, number>();
    for (let index = 0; index < this.#parts.length; index++) {
      const line = lineOf(this.#slot, index);
      const part = this.#parts[index]!;
      if (part === null) writeLine(this.#table, line, ABSENT, 0, []);
      else writeLine(this.#table, line, this.#beginOf(part.region, begins) + part.at, part.bytes, part.dims);
    }
  }

  #beginOf(region: Region, begins: Map<Region, number>): number {
    if (region.begin >= 0) return region.begin;
    const known = begins.get(region);
    if (known !== undefined) return known;
    const begin = align(this.#end);
    copyBytes(region.bytes, 0, this.#arena, this.#slot + begin, region.bytes.length);
    this.#end = begin + region.bytes.length;
    begins.set(region, begin);
    return begin;
  }

  #fits(): boolean {
    return this.#endWith((region) => region.begin < 0, this.#end) <= this.#slotBytes;
  }

  /** Another slot, which is large enough for all. What lies in this one is lost with it. */
  #move(): void {
    const needed = this.#endWith(() => true, this.#tableEnd);
    const copies = new Map<Region, Region>();
    for (const region of this.#regions()) copies.set(region, region.begin < 0 ? region : outside(region));
    this.#parts = this.#parts.map((part) => part && { ...part, region: copies.get(part.region)! });
    const { words } = this.#ring.memory;
    words[this.#ring.base + NEEDED_UNITS] = Math.ceil(needed / ARENA_UNIT);
    this.#ring.awaitOutput();
    if (this.#slotBytes === 0) throw new NoRoomForParts();
    this.#end = this.#tableEnd;
  }

  #endWith(isCounted: (region: Region) => boolean, begin: number): number {
    let end = begin;
    for (const region of this.#regions()) if (isCounted(region)) end = align(end) + region.bytes.length;
    return end;
  }

  /** Each once: parts of several requests may lie in one. */
  #regions(): Set<Region> {
    return new Set(this.#parts.flatMap((part) => (part === null ? [] : [part.region])));
  }

  get #tableEnd(): number {
    return tableBytes(this.#entries * this.#lines, 0);
  }

  get #slot(): number {
    return this.#ring.memory.words[this.#ring.base + OUTPUT_OFFSET]! * ARENA_UNIT;
  }

  get #slotBytes(): number {
    return this.#ring.memory.words[this.#ring.base + OUTPUT_UNITS]! * ARENA_UNIT;
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}

function outside(region: Region): Region {
  return { bytes: region.bytes.slice(), begin: -1 };
}
