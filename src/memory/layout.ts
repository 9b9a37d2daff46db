import type { Shape } from '../types/tensor.js';

/**
 * Everything the main thread and the worker of one instance share besides tensors, by index. One SharedArrayBuffer per instance:
 *
 *     | bell | events | asleep | stop |  batch 0  |  batch 1  | ... |  batch 3  |
 *       each of the four on a cache line of its own (16 words)
 *
 *     batch:  | 16 header words | 4 times (Float64) | error text | entries: 4 words each |
 *
 * Words are Int32. Offsets into the arena are stored in units of 64 bytes, so that 31 bits reach 128 GiB.
 */
export const ARENA_UNIT = 64;

/** Counts what the main thread did that a sleeping worker must see. */
export const BELL = 0;
/** Counts what the worker did that the main thread must see. */
export const EVENTS = 16;
/** 1 while the worker sleeps on BELL. */
export const ASLEEP = 32;
/** 1 = finish the batch that runs, then return. */
export const STOP = 48;
export const BATCHES = 64;

/** One runs, one is open, two wait for the main thread to hand out their outputs. */
export const RING_BATCHES = 4;

/** state | entries << STATE_BITS: one word, so that sealing and appending exclude each other with one compare-exchange. */
export const STATE = 0;
export const STATE_BITS = 3;
export const STATE_MASK = (1 << STATE_BITS) - 1;
export const FREE = 0;
/** The main thread may append; the worker may seal. */
export const OPEN = 1;
/** The main thread takes entries out; the worker waits the microsecond. */
export const EDIT = 2;
/** The worker's alone. */
export const SEALED = 3;
/** The worker waits for a larger output slot of NEEDED units. */
export const NEEDS_OUTPUT = 4;
/** The main thread answered NEEDS_OUTPUT: OUTPUT_OFFSET and OUTPUT_UNITS are new, or OUTPUT_UNITS is 0 = there is no room. */
export const OUTPUT_GIVEN = 5;
/** Outputs or error text are complete; the main thread's alone. */
export const DONE = 6;

/**
 * 0 = outputs of all rows together, 1 = error of the whole batch (text in the batch), 2 = no room for the outputs, 3 = outputs of each entry
 * for itself.
 */
export const STATUS = 1;
export const STATUS_OK = 0;
export const STATUS_ERROR = 1;
export const STATUS_NO_ROOM = 2;
export const STATUS_PARTS = 3;
/** 0 = one contiguous range, 1 = gathered. */
export const PLACEMENT = 2;
export const OUTPUT_OFFSET = 3;
export const OUTPUT_UNITS = 4;
export const NEEDED_UNITS = 5;
export const TEXT_BYTES = 6;
/** 1 = the error text is the client's fault (INVALID_ARGUMENT), 0 = the backend's (INTERNAL), 2 = UNSUPPORTED. */
export const ERROR_CLASS = 7;
export const HEADER_WORDS = 16;

/** Float64 each, monotonic microseconds: execution started, inputs gathered, model run ended, outputs written. */
export const TIMES = HEADER_WORDS;
export const TIME_COUNT = 4;
export const TEXT = TIMES + TIME_COUNT * 2;
export const TEXT_WORDS = 1024;
export const ENTRIES = TEXT + TEXT_WORDS;

/** An entry: one request of the batch. ROW is the row in its block; VARIABLE means a slot of its own that begins with a tensor table. */
export const ENTRY_WORDS = 4;
export const ENTRY_OFFSET = 0;
export const ENTRY_ROW = 1;
export const ENTRY_ROWS = 2;
/** Implicit state of a sequence: slot + 1 << 1 | 1 where it begins anew. Such a row reads the slot's state and replaces it. */
export const ENTRY_STATE = 3;
export const VARIABLE = -1;
/** Of a row that belongs to no sequence: it reads zeros, and what it would leave is dropped. */
export const NO_STATE = 0;
/** Of a row that brings its states: their lines stand in its slot's table behind those of its inputs. What it leaves is dropped. */
export const STATE_GIVEN = -1;

export function stateWord(slot: number, isFresh: boolean): number {
  return ((slot + 1) << 1) | (isFresh ? 1 : 0);
}

/** Words of one batch with room for `entries` requests; a multiple of 16. */
export function batchWords(entries: number): number {
  return Math.ceil((ENTRIES + entries * ENTRY_WORDS) / 16) * 16;
}

export function ringBytes(entries: number): number {
  return (BATCHES + RING_BATCHES * batchWords(entries)) * 4;
}

/**
 * The tensor table at the head of a variable slot and of every output slot, Float64 each, one line per tensor in the order of
 * the configuration:
 *
 *     | begin, in bytes from the start of the slot; ABSENT = there is none | length in bytes | rank | 16 dimensions |
 *
 * A tensor may lie outside of the slot, where another has written it: its begin is as it comes then, or negative.
 *
 * Behind the lines, in output slots only, for each BYTES output of a batching model: entries + 1 byte positions (from the
 * tensor's begin) where the requests' parts begin and end, in the order of the outputs.
 *
 * With STATUS_PARTS an output slot begins with such a table for each entry instead, one behind the other, of one line more than there are outputs. The last
 * line is that of a JSON text: what is to be said of the entry beside its outputs (backends/batch-outputs.ts).
 */
export const LINE_WORDS = 19;
export const ABSENT = Number.NEGATIVE_INFINITY;
export const LINE_BEGIN = 0;
export const LINE_BYTES = 1;
export const LINE_RANK = 2;
export const LINE_DIMS = 3;
export const MAX_RANK = LINE_WORDS - LINE_DIMS;

/** First word of line `index` of the table of the slot at byte `slotOffset` of the arena. */
export function lineOf(slotOffset: number, index: number): number {
  return slotOffset / 8 + index * LINE_WORDS;
}

export function writeLine(table: Float64Array, line: number, begin: number, bytes: number, dims: Shape): void {
  table[line + LINE_BEGIN] = begin;
  table[line + LINE_BYTES] = bytes;
  table[line + LINE_RANK] = dims.length;
  for (let i = 0; i < dims.length; i++) table[line + LINE_DIMS + i] = dims[i]!;
}

/** Bytes of the table of `tensors` lines and `cuts` byte positions. */
export function tableBytes(tensors: number, cuts: number): number {
  return (tensors * LINE_WORDS + cuts) * 8;
}
