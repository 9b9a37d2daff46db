import type { ViewOwner } from '../../transport/http2/stream.js';
import type { PartsHolder } from './engine.js';

/** Tells the holder of several parts once, when the last of them is released. */
export class PartsOwner implements ViewOwner {
  readonly #holder: PartsHolder;
  #left: number;

  constructor(holder: PartsHolder, parts: number) {
    this.#holder = holder;
    this.#left = parts;
  }

  release(): void {
    if (--this.#left === 0) this.#holder.onPartsReleased();
  }
}
