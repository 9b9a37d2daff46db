import { quartiles } from '../core/rounds.js';
import { chosenParts, type ListedPart, listParts, measureIn, type PartList } from '../micro/ask.js';
import type { Checkout } from './checkout.js';
import { type Comparison, type Figure, type SideName, type Skipped, sidesInOrder } from './rounds.js';

export interface MicroOrder {
  readonly only: readonly string[];
  readonly rounds: number;
  readonly samples: number;
}

interface Shared {
  readonly both: readonly ListedPart[];
  readonly skipped: readonly Skipped[];
}

/**
 * Every part on both sides, round by round; its two measurements of a round follow one another directly, each in a fresh process.
 * @param onRound told how many rounds are done
 */
export async function compareMicro(
  sides: Readonly<Record<SideName, Checkout>>,
  { only, rounds, samples }: MicroOrder,
  onRound: (done: number) => void,
): Promise<Comparison> {
  const lists = { a: await listParts(sides.a.root, only), b: await listParts(sides.b.root, only) };
  const { both, skipped } = sharedParts(lists.a, lists.b, only);
  const measurements = both.map((part) => new Measurement(part, samples));
  for (let round = 0; round < rounds; round++) {
    for (const measurement of measurements) await measurement.round(sides, round);
    onRound(round + 1);
  }
  return {
    figures: measurements.flatMap(({ figure }) => figure ?? []),
    skipped: [...skipped, ...measurements.flatMap(({ failure }) => failure ?? [])],
  };
}

/** The chosen parts that both sides have, and why others are left out. */
export function sharedParts(a: PartList, b: PartList, only: readonly string[]): Shared {
  const all = [...a.parts, ...b.parts.filter(({ name }) => !a.parts.some((part) => part.name === name))];
  const both: ListedPart[] = [];
  const skipped: Skipped[] = [];
  for (const part of chosenParts(all, only)) {
    const missing = (
      [
        ['A', a],
        ['B', b],
      ] as const
    ).find(([, { parts }]) => !parts.some(({ name }) => name === part.name));
    if (missing === undefined) both.push(part);
    else
      skipped.push({
        name: part.name,
        reason: `not in ${missing[0]}: ${missing[1].failures.get(part.file) ?? 'it has none'}`,
      });
  }
  return { both, skipped };
}

/** One part over all rounds. Once it has failed on one side, it is not run any more. */
class Measurement {
  readonly #part: ListedPart;
  readonly #samples: number;
  readonly #medians: Readonly<Record<SideName, number[]>> = { a: [], b: [] };
  #failure: Skipped | null = null;

  constructor(part: ListedPart, samples: number) {
    this.#part = part;
    this.#samples = samples;
  }

  get failure(): Skipped | null {
    return this.#failure;
  }

  get figure(): Figure | null {
    if (this.#failure !== null) return null;
    return { name: this.#part.name, unit: 'ns', better: 'lower', ...this.#medians };
  }

  async round(sides: Readonly<Record<SideName, Checkout>>, round: number): Promise<void> {
    for (const side of sidesInOrder(round)) {
      if (this.#failure !== null) return;
      const reply = await measureIn(sides[side].root, this.#part, this.#samples);
      if (reply.kind === 'measured') this.#medians[side].push(quartiles(reply.samplesNs).median);
      else this.#failure = { name: this.#part.name, reason: `failed in ${side.toUpperCase()}: ${reply.reason}` };
    }
  }
}
