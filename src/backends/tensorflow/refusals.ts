import { ServerError } from '../../types/errors.js';

/** As many are named: a person reads them. */
const MOST_NAMED = 100;

/** Nodes that cannot be translated, all told at once. */
export class Refusals {
  /** A node that is translated again is named once. */
  readonly #lines = new Set<string>();
  #isInvalid = false;

  /** @param error why; null = the op is not known */
  add(op: string, node: string, error: ServerError | null): void {
    this.#lines.add(`${op} '${node}'${error === null ? '' : ` (${error.message})`}`);
    if (error !== null && error.code !== 'UNSUPPORTED') this.#isInvalid = true;
  }

  /** Throws UNSUPPORTED, or INVALID_ARGUMENT where a node makes no sense. */
  check(): void {
    const count = this.#lines.size;
    if (count === 0) return;
    const named = [...this.#lines].slice(0, MOST_NAMED).join('; ');
    const more = count > MOST_NAMED ? `; and ${count - MOST_NAMED} more` : '';
    const what = count === 1 ? 'a node' : `${count} nodes`;
    throw new ServerError(
      this.#isInvalid ? 'INVALID_ARGUMENT' : 'UNSUPPORTED',
      `the TensorFlow graph has ${what} that cannot be translated to ONNX: ${named}${more}`,
    );
  }
}
