import { assert } from '../../base/assert.js';

/** Memory in which tensors of a request lie; given back when nobody has to read it any more. */
export class Source {
  readonly #owner: { release(): void };
  #readers = 0;

  constructor(owner: { release(): void }) {
    this.#owner = owner;
  }

  get isRead(): boolean {
    return this.#readers > 0;
  }

  /** `readers` more read it. */
  claim(readers: number): void {
    this.#readers += readers;
  }

  unclaim(): void {
    assert(this.#readers > 0, 'the memory of an ensemble tensor was given back twice');
    if (--this.#readers === 0) this.#owner.release();
  }
}
