import { invalid } from '../../types/errors.js';
import type { SequenceFlags, SequenceId } from '../../types/infer.js';

/** The first; numbers from here on are no client's. Also their low 32 bits, which some models are given, begin high. */
const FIRST = 2n ** 63n + 2n ** 31n;
const RESERVED_FROM = 2n ** 63n;
/** Texts that begin so are no client's. */
const PREFIX = 'conch:';

/** To an iterative model: an id of the server's own, of a request that came without one. */
export function isOwnId(id: SequenceId): boolean {
  return typeof id === 'string' ? id.startsWith(PREFIX) : typeof id === 'bigint' && id >= RESERVED_FROM;
}

/** Gives ids to requests of an iterative model that have none: each is a sequence of its own (fact sheet 5.5). */
export class OwnIds {
  readonly #model: string;
  readonly #areTexts: boolean;
  #next = FIRST;

  /** @param areTexts the model is given them as BYTES */
  constructor(model: string, areTexts: boolean) {
    this.#model = model;
    this.#areTexts = areTexts;
  }

  /** What the model and its scheduler are told of a request that says this. Throws INVALID_ARGUMENT where a client uses an id of ours. */
  flagsFor(said: SequenceFlags): SequenceFlags {
    const { sequenceId } = said;
    if (sequenceId === 0 || sequenceId === '') return { ...said, sequenceId: this.#take(), sequenceStart: true };
    if (!isOwnId(sequenceId)) return said;
    throw invalid(
      `correlation ID '${sequenceId}' to model '${this.#model}' is not a client's: numbers from ${RESERVED_FROM} on, ` +
        `and texts that begin with '${PREFIX}', are those that the server gives to requests without one`,
    );
  }

  #take(): SequenceId {
    const id = this.#next++;
    return this.#areTexts ? `${PREFIX}${id - FIRST}` : id;
  }
}
