import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { ServerError } from '../../types/errors.js';

/** What a client says of a region: bytes `offset` to `offset + byteSize` of the object `key`. */
export interface RegionFacts {
  readonly name: string;
  readonly key: string;
  readonly offset: number;
  readonly byteSize: number;
}

/**
 * A part of a POSIX shared memory object. It is read and written as a file, not mapped: touching pages that its client has cut off
 * is an end of file here, and the end of the process (SIGBUS) in a mapping.
 */
export class Region {
  readonly facts: RegionFacts;
  /** It was unregistered, and goes with the last request that uses it. */
  isLeaving = false;
  readonly #file: number;
  #users = 0;

  private constructor(facts: RegionFacts, file: number) {
    this.facts = facts;
    this.#file = file;
  }

  /** Opens a file. Throws INTERNAL where that cannot be, INVALID_ARGUMENT where the region ends behind it, with the texts of fact sheet 1.6. */
  static open(facts: RegionFacts, path: string): Region {
    const file = openFile(path, facts.key);
    const { size } = fstatSync(file);
    if (facts.offset + facts.byteSize <= size) return new Region(facts, file);
    closeSync(file);
    throw new ServerError('INVALID_ARGUMENT', `failed to register shared memory region '${facts.name}': invalid args`);
  }

  get isUsed(): boolean {
    return this.#users > 0;
  }

  hold(): void {
    this.#users++;
  }

  letGo(): void {
    this.#users--;
  }

  /** Reads `bytes` bytes from `offset` in the region on to `begin` in `to`; false = its file is too short by now. */
  read(offset: number, bytes: number, to: Uint8Array, begin: number): boolean {
    const from = this.facts.offset + offset;
    for (let done = 0; done < bytes; ) {
      const count = readSync(this.#file, to, begin + done, bytes - done, from + done);
      if (count === 0) return false;
      done += count;
    }
    return true;
  }

  /** Writes `bytes` bytes at `begin` in `from` to `offset` in the region; false = its file is too short by now, and is not made longer. */
  write(offset: number, bytes: number, from: Uint8Array, begin: number): boolean {
    const to = this.facts.offset + offset;
    if (fstatSync(this.#file).size < to + bytes) return false;
    for (let done = 0; done < bytes; ) done += writeSync(this.#file, from, begin + done, bytes - done, to + done);
    return true;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Only a plain file in the folder itself: no link out of it, nothing that a read could wait for. */
function openFile(path: string, key: string): number {
  let file = -1;
  try {
    file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(file).isFile()) return file;
  } catch {
    // Whatever it was, the client can do nothing else about it.
  }
  if (file >= 0) closeSync(file);
  throw new ServerError('INTERNAL', `Unable to open shared memory region: '${key}'`);
}
