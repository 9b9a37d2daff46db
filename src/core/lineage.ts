import { ServerError } from '../types/errors.js';
import type { SequenceId } from '../types/infer.js';

/** A model that may be replaced while it has something to finish. */
export interface Replaceable {
  readonly version: number;
  /** A request with this id goes on with a sequence that is live here. */
  hasSequence(id: SequenceId): boolean;
}

/** Who stood in the place of a model before and still has sequences, and who stands there now. */
export class Lineage<M extends Replaceable> {
  /** The youngest first; null = none, which is asked for every request. */
  #elders: readonly M[] | null = null;
  #heir: M | null = null;
  /** Of who took its place, and the elders over. */
  #next: Lineage<M> | null = null;

  /** Takes the place of another. `elder` is that, where it has sequences that go on there; null = it has none. */
  succeed(elder: M | null, before: Lineage<M>): void {
    const elders = [...(elder === null ? [] : [elder]), ...(before.#elders ?? []), ...(this.#elders ?? [])];
    this.#elders = elders.length === 0 ? null : elders;
    before.#next = this;
  }

  /** It has finished. */
  outlive(elder: M): void {
    this.#next?.outlive(elder);
    const left = (this.#elders ?? []).filter((other) => other !== elder);
    this.#elders = left.length === 0 ? null : left;
  }

  /** The youngest first. */
  get elders(): readonly M[] {
    return this.#elders ?? [];
  }

  replacedBy(heir: M): void {
    this.#heir = heir;
  }

  /** The same version of the model, loaded anew; null = there is none. */
  get heir(): M | null {
    return this.#heir;
  }

  /** Who has the sequence that a request goes on with; null = none of them. */
  elderWith(id: SequenceId, isStart: boolean): M | null {
    if (this.#elders === null || isStart) return null;
    return this.#elders.find((elder) => elder.hasSequence(id)) ?? null;
  }
}

/** Who asked the first is prepared for answers of its kind, not of another. Throws UNAVAILABLE. */
export function checkAlike(asked: Kind, other: Kind): void {
  if (other.isDecoupled === asked.isDecoupled) return;
  const kinds = `one that ${other.isDecoupled ? 'is' : 'is not'} decoupled has its place`;
  throw new ServerError('UNAVAILABLE', `model '${asked.name}' was loaded anew and ${kinds}: send the request again`);
}

interface Kind {
  readonly name: string;
  readonly isDecoupled: boolean;
}
