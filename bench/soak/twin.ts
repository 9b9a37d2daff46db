/** What the model `soak` does (bench/make_models.py), for one sequence: the dumb twin that every answer is held against. */
export class Twin {
  #hash = 0;
  #count = 0;

  /** The answer to the next step. */
  step(input: number, isStart: boolean): { readonly hash: number; readonly count: number } {
    if (isStart) {
      this.#hash = 0;
      this.#count = 0;
    }
    this.#hash = (31 * this.#hash + input) % 1_000_003;
    this.#count++;
    return { hash: this.#hash, count: this.#count };
  }
}
