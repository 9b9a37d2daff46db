import { assert } from '../base/assert.js';
import { type Flag, type FlagValue, readValue } from './flag.js';

/** The texts behind each flag given, by full name and in the order of the command line; '' for a bare flag. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>;

/** What the flags of a command line amount to, defaults included. Every text is checked once, when this is made. */
export class FlagValues {
  readonly #values = new Map<string, readonly FlagValue[]>();
  readonly #given: GivenFlags;

  /** Throws INVALID_ARGUMENT that names the flag. */
  constructor(flags: readonly Flag[], given: GivenFlags) {
    this.#given = given;
    for (const flag of flags) {
      const texts = given.get(flag.name) ?? [];
      const values = texts.map((text) => readValue(flag, text));
      const none = flag.repeatable ? [] : [flag.defaultValue];
      this.#values.set(flag.name, values.length > 0 ? values : none);
    }
  }

  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  boolean(name: string): boolean {
    const value = this.#last(name);
    assert(typeof value === 'boolean', `--${name} is no boolean`);
    return value;
  }

  number(name: string): number {
    const value = this.#last(name);
    assert(typeof value === 'number', `--${name} is no number`);
    return value;
  }

  text(name: string): string {
    const value = this.#last(name);
    assert(typeof value === 'string', `--${name} is no text`);
    return value;
  }

  /** The value of a flag of any type. */
  asText(name: string): string {
    return String(this.#last(name));
  }

  /** All occurrences of a repeatable flag, in order. */
  list(name: string): readonly string[] {
    return this.#all(name).map(String);
  }

  #last(name: string): FlagValue {
    return this.#all(name).at(-1)!;
  }

  #all(name: string): readonly FlagValue[] {
    const values = this.#values.get(name);
    assert(values !== undefined, `--${name} is not in the table of flags`);
    return values;
  }
}
