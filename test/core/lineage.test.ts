import { describe, expect, it } from 'vitest';
import { Lineage } from '../../src/core/lineage.js';
import type { SequenceId } from '../../src/types/infer.js';

/** A model with the sequences that the test gives it. */
class Somebody {
  readonly version: number;
  readonly lineage = new Lineage<Somebody>();
  readonly sequences = new Set<SequenceId>();
  asked = 0;

  constructor(version: number, ...sequences: SequenceId[]) {
    this.version = version;
    for (const id of sequences) this.sequences.add(id);
  }

  hasSequence(id: SequenceId): boolean {
    this.asked++;
    return this.sequences.has(id);
  }

  succeed(elder: Somebody): void {
    this.lineage.succeed(elder, elder.lineage);
  }
}

describe('who goes on with a sequence', () => {
  it('is nobody else where nobody was before', () => {
    expect(new Somebody(1).lineage.elderWith(7, false)).toBeNull();
  });

  it('is the elder that has it, and only while it has it', () => {
    const [old, young] = [new Somebody(1, 7, 'text'), new Somebody(1)];
    young.succeed(old);
    expect(young.lineage.elderWith(7, false)).toBe(old);
    expect(young.lineage.elderWith('text', false)).toBe(old);
    expect(young.lineage.elderWith(8, false)).toBeNull();
    old.sequences.delete(7);
    expect(young.lineage.elderWith(7, false)).toBeNull();
  });

  it('is no elder where the sequence starts anew', () => {
    const [old, young] = [new Somebody(1, 7), new Somebody(1)];
    young.succeed(old);
    expect(young.lineage.elderWith(7, true)).toBeNull();
    expect(old.asked).toBe(0);
  });

  it('is the youngest of several elders, also of those that it has from its elder', () => {
    const [first, second, third] = [new Somebody(1, 7, 8), new Somebody(1, 7, 9), new Somebody(1)];
    second.succeed(first);
    third.succeed(second);
    expect(third.lineage.elderWith(7, false)).toBe(second);
    expect(third.lineage.elderWith(8, false)).toBe(first);
    expect(second.lineage.elderWith(8, false)).toBe(first);
  });

  it('is any of the versions whose place was taken at once', () => {
    const [one, two, three] = [new Somebody(1, 7), new Somebody(2, 8), new Somebody(3)];
    three.succeed(one);
    three.succeed(two);
    expect(three.lineage.elderWith(7, false)).toBe(one);
    expect(three.lineage.elderWith(8, false)).toBe(two);
  });
});

describe('an elder that has finished', () => {
  it('is not asked any more, by nobody that came after it', () => {
    const [first, second, third, fourth] = [1, 1, 1, 1].map((version) => new Somebody(version, 7)) as Somebody[];
    second!.succeed(first!);
    third!.succeed(second!);
    fourth!.succeed(third!);
    second!.lineage.outlive(first!);
    third!.lineage.outlive(second!);
    fourth!.lineage.outlive(third!);
    for (const young of [second!, third!, fourth!]) expect(young.lineage.elderWith(7, false)).toBeNull();
    expect([first!, second!, third!].map(({ asked }) => asked)).toEqual([0, 0, 0]);
  });

  it('leaves the others', () => {
    const [first, second, third] = [new Somebody(1, 7), new Somebody(1, 8), new Somebody(1)];
    second.succeed(first);
    third.succeed(second);
    third.lineage.outlive(second);
    expect(third.lineage.elderWith(7, false)).toBe(first);
    third.lineage.outlive(second);
    expect(third.lineage.elderWith(8, false)).toBeNull();
    second.lineage.outlive(first);
    expect(third.lineage.elderWith(7, false)).toBeNull();
  });
});

it('knows who has taken its place', () => {
  const [old, young] = [new Somebody(1), new Somebody(1)];
  expect(old.lineage.heir).toBeNull();
  old.lineage.replacedBy(young);
  expect(old.lineage.heir).toBe(young);
});
