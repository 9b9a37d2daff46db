import { DEEPEST, JsonScanner } from './json-scanner.js';

/** Walks the leaves of an array, nested or flat, depth first, or of a single value: it is the only one. What is no array is a leaf: who reads it says what may be one. */
export class JsonLeaves extends JsonScanner {
  #depth = 0;
  /** An element was just read or closed: a comma or a bracket follows. */
  #isBehindElement = false;

  /** True = `at` is at the first byte of a leaf, which must be read before the next call; false = there is no other. */
  nextLeaf(): boolean {
    let mustFollow = false;
    for (;;) {
      const byte = this.peek();
      if (byte === 0x2c && this.#isBehindElement) {
        this.at++;
        this.#isBehindElement = false;
        mustFollow = true;
      } else if (byte === 0x5d && !mustFollow) {
        this.at++;
        if (--this.#depth === 0) return false;
        this.#isBehindElement = true;
      } else if (byte === -1 && this.#isBehindElement && this.#depth === 0) {
        return false;
      } else if (this.#isBehindElement || byte === -1) {
        throw this.error('Missing a comma or ] after an array element.');
      } else if (byte === 0x5b) {
        this.at++;
        if (++this.#depth > DEEPEST) throw this.tooDeep();
        mustFollow = false;
      } else {
        if (byte === 0x5d || byte === 0x2c) throw this.error('Invalid value.');
        this.#isBehindElement = true;
        return true;
      }
    }
  }
}
