import type { Arena, Slot, SlotOwner } from '../memory/arena.js';
import { tableBytes } from '../memory/layout.js';
import { outputBytes } from './batch-outputs.js';
import type { TensorLayout } from './worker-protocol.js';

/** Output slots up to this size are reserved for the largest batch at once; larger ones for the rows at hand. */
const SMALL_OUTPUT_BYTES = 1 << 20;

/** What decides how much room the outputs of a batch need. */
export interface OutputNeeds {
  readonly outputs: readonly TensorLayout[];
  readonly batching: boolean;
  readonly maxEntries: number;
  readonly maxRows: number;
  /** Each request has outputs of its own (STATUS_PARTS of memory/layout.ts). */
  readonly inParts: boolean;
  readonly outputOwner: SlotOwner;
}

/** Reserves the output slots of an instance before its worker knows what it needs. */
export class OutputReserve {
  readonly #arena: Arena;
  readonly #tableBytes: number;
  readonly #rowBytes: readonly number[];
  readonly #maxRows: number;
  readonly #owner: SlotOwner;
  /** What the next batch gets to begin with, where sizes are not known: what the last that asked for more needed, up to a bound. */
  #learnedBytes = 0;

  constructor(needs: OutputNeeds, arena: Arena) {
    this.#arena = arena;
    this.#tableBytes = tableOf(needs);
    this.#rowBytes = needs.outputs.map((output) => output.rowBytes);
    this.#maxRows = needs.maxRows;
    this.#owner = needs.outputOwner;
  }

  /** A slot may be larger than its outputs: who reads them may take long, and must not hold what was only a guess. */
  get isGuess(): boolean {
    return this.#learnedBytes > 0;
  }

  /** As much as outputs of unknown size took before, else what is known to be needed: the worker asks for more. Null = no memory. */
  take(rows: number): Slot | null {
    const largest = outputBytes(this.#tableBytes, this.#rowBytes, this.#maxRows);
    const needed = largest <= SMALL_OUTPUT_BYTES ? largest : outputBytes(this.#tableBytes, this.#rowBytes, rows);
    const most = Math.max(needed, this.#learnedBytes);
    return this.#arena.take(most, this.#owner) ?? this.#arena.take(needed, this.#owner);
  }

  /** Another slot of `bytes` bytes for the one that is too small; null = no memory, and that one is given back all the same. */
  exchange(slot: Slot | null, bytes: number): Slot | null {
    if (slot !== null) this.#arena.give(slot);
    this.#learn(bytes);
    return this.#arena.take(bytes, this.#owner);
  }

  /** Only where sizes are not known beforehand, and no more than is cheap to hold: to large outputs, asking for more is nothing. */
  #learn(bytes: number): void {
    if (this.#rowBytes.includes(0)) this.#learnedBytes = Math.min(bytes, SMALL_OUTPUT_BYTES);
  }
}

/** BYTES outputs of a batching model have byte positions in it; both for the largest batch. */
function tableOf({ outputs, batching, maxEntries, inParts }: OutputNeeds): number {
  if (inParts) return tableBytes(maxEntries * (outputs.length + 1), 0);
  const strings = batching ? outputs.filter((output) => output.datatype === 'BYTES').length : 0;
  return tableBytes(outputs.length, strings * (maxEntries + 1));
}
