import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Outcome } from '../../src/repository/outcome.js';
import type { WantedModel, WantedVersion } from '../../src/repository/wanted.js';
import { invalid } from '../../src/types/errors.js';
import { ensemble, Hand, model, Stage, settled, type Thing } from './hand.js';

const modelNames = ['m', 'n'];
const ensembleNames = ['e', 'f', 'g'];
const names = [...modelNames, ...ensembleNames];

type Step =
  | { readonly kind: 'apply'; readonly models: readonly Change[] }
  | { readonly kind: 'unload' | 'forget'; readonly name: string }
  | { readonly kind: 'loaded' | 'failed' | 'unloaded'; readonly which: number }
  | { readonly kind: 'drain' };

/** What a model should be: versions, or of an ensemble steps. */
interface Change {
  readonly name: string;
  readonly files: string;
  readonly versions: readonly number[];
  readonly steps: readonly string[];
}

const anyFiles = fc.constantFrom('x', 'y');
const anyChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    name: fc.constantFrom(...modelNames),
    files: anyFiles,
    versions: fc.subarray([1, 2], { minLength: 1 }),
    steps: fc.constant([]),
  }),
  fc.record({
    name: fc.constantFrom(...ensembleNames),
    files: anyFiles,
    versions: fc.constant([1]),
    steps: fc.array(fc.constantFrom('m', 'm', 'm/1', 'n', 'n', 'n/2', 'e', 'e', 'f', 'g', 'nobody'), {
      minLength: 1,
      maxLength: 2,
    }),
  }),
);

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ kind: 'drain' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      models: fc.uniqueArray(anyChange, { minLength: 1, maxLength: 3, selector: ({ name }) => name }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('unload' as const, 'forget' as const),
      name: fc.constantFrom(...names),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'loaded' as const,
        'loaded' as const,
        'loaded' as const,
        'unloaded' as const,
        'failed' as const,
      ),
      which: fc.nat(),
    }),
  },
);

/** Where it begins: something of every kind serves. */
const beginning: readonly Change[] = [
  { name: 'm', files: 'x', versions: [1], steps: [] },
  { name: 'n', files: 'x', versions: [1, 2], steps: [] },
  { name: 'e', files: 'x', versions: [1], steps: ['m', 'n'] },
  { name: 'f', files: 'y', versions: [1], steps: ['e', 'm/1'] },
  { name: 'g', files: 'x', versions: [1], steps: ['f', 'n/2'] },
];

/** An ensemble of the files `y` takes no model of the files `y`. */
const fits = (files: string, stepFiles: readonly string[]) => files === 'x' || !stepFiles.includes('y');

/** How often each thing was taken down. Ensembles fail where they do not fit, models when the test says so. */
class Book extends Hand {
  readonly made: Thing[] = [];
  readonly takenDown = new Map<Thing, number>();

  override load = (
    { name, versions, steps: wanted }: WantedModel,
    { version, settings }: WantedVersion,
    signal: AbortSignal,
    steps: readonly Thing[],
  ): Promise<Thing> => {
    const { files } = versions.find((it) => it.version === version)!;
    const thing: Thing = { name: `${name}/${version}`, files, settings, steps };
    expect(steps.map((step) => step.name.split('/')[0])).toEqual(wanted.map((step) => step.name));
    return new Promise((resolve, reject) => {
      const keep = () => {
        const stepFiles = steps.filter((step) => step.steps.length === 0).map((step) => step.files);
        if (!fits(files, stepFiles)) return reject(invalid('no'));
        this.made.push(thing);
        resolve(thing);
      };
      this.loading.push({ thing, signal, resolve: keep, reject: steps.length === 0 ? reject : keep });
    });
  };

  override unload = (thing: Thing, heir: Thing | null): Promise<void> => {
    this.takenDown.set(thing, (this.takenDown.get(thing) ?? 0) + 1);
    return new Promise((resolve, reject) => this.unloading.push({ thing, heir, resolve, reject }));
  };
}

/** What was asked of a name, in order; an outcome where there is one. */
type Asked = { readonly change: Change; outcome: Outcome | null } | 'unload';

class Play {
  readonly stage: Stage;
  readonly book = new Book();
  readonly asked = new Map<string, Asked[]>(names.map((name) => [name, []]));
  pending = 0;

  constructor(threads: number) {
    this.stage = new Stage({ threads }, this.book);
  }

  async step(step: Step): Promise<void> {
    if (step.kind === 'drain') return this.drain();
    if (step.kind === 'apply') this.#apply(step.models);
    else if ('name' in step) {
      this.stage.manager[step.kind](step.name);
      this.asked.get(step.name)!.push('unload');
    } else this.#end(step.kind, step.which);
    await settled();
    for (const thing of this.stage.manager.loaded()) expect(this.book.takenDown.has(thing)).toBe(false);
  }

  /** Ends all that is under way, well. */
  async drain(): Promise<void> {
    while (this.book.loading.length + this.book.unloading.length > 0) {
      await this.step({ kind: 'loaded', which: 0 });
      await this.step({ kind: 'unloaded', which: 0 });
    }
  }

  #apply(changes: readonly Change[]): void {
    const all = changes.map((change) => {
      const { name, files, versions, steps } = change;
      const asked = { change, outcome: null as Outcome | null };
      this.asked.get(name)!.push(asked);
      return { asked, wanted: steps.length > 0 ? ensemble(name, steps, { files }) : model(name, versions, { files }) };
    });
    this.pending++;
    void this.stage.manager.applyAll(all.map(({ wanted }) => wanted)).then((outcomes) => {
      for (const [i, { asked }] of all.entries()) asked.outcome = outcomes[i]!;
      this.pending--;
    });
  }

  #end(kind: 'loaded' | 'failed' | 'unloaded', which: number): void {
    const list = kind === 'unloaded' ? this.book.unloading : this.book.loading;
    if (list.length === 0) return;
    const [item] = list.splice(which % list.length, 1);
    if (kind === 'failed') item!.reject(new Error('no'));
    else item!.resolve(item!.thing);
  }

  /** With nothing under way. */
  checkRest(): void {
    expect(this.pending).toBe(0);
    for (const name of names) {
      const steps = this.#stepsOf(name);
      const expected =
        steps === null ? this.#models(name).map(([version]) => version) : this.#isReady(name, []) ? [1] : [];
      expect([name, this.stage.manager.readyVersions(name)]).toEqual([name, expected]);
      if (steps === null || expected.length === 0) continue;
      const now = steps.map((step) => {
        const [of, version = ''] = step.split('/');
        return this.stage.manager.find(of!, version);
      });
      for (const [i, step] of this.stage.manager.find(name, '').steps.entries()) expect(step).toBe(now[i]);
    }
    const served = new Set(this.stage.manager.loaded());
    for (const thing of this.book.made) expect(this.book.takenDown.get(thing) ?? 0).toBe(served.has(thing) ? 0 : 1);
    for (const line of this.stage.index) expect(line).toMatch(/ (READY|UNAVAILABLE)( |$)/);
  }

  /** The last thing that was asked of a name; null = nothing, or to be gone. */
  #last(name: string): Change | null {
    const last = this.asked.get(name)!.at(-1) ?? 'unload';
    return last === 'unload' ? null : last.change;
  }

  /** Null = it is no ensemble, or nobody wants it. */
  #stepsOf(name: string): readonly string[] | null {
    return ensembleNames.includes(name) ? (this.#last(name)?.steps ?? null) : null;
  }

  /** Versions of a model that serve, with their files. */
  #models(name: string): [number, string][] {
    let ready = new Map<number, string>();
    if (ensembleNames.includes(name)) return [];
    for (const asked of this.asked.get(name)!) {
      if (asked === 'unload') ready = new Map();
      else {
        const { change, outcome } = asked;
        const all = change.versions.map((version) => [version, change.files] as const);
        if (outcome!.kind === 'served') ready = new Map(all);
        if (outcome!.kind !== 'failed' || ready.size > 0) continue;
        const failed = outcome!.failures.map(({ version }) => version);
        ready = new Map(all.filter(([version]) => !failed.includes(version)));
      }
    }
    return [...ready].sort(([a], [b]) => a - b);
  }

  #isReady(name: string, above: readonly string[]): boolean {
    const steps = this.#stepsOf(name);
    if (steps === null || above.includes(name)) return false;
    const { files } = this.#last(name)!;
    return steps.every((step) => {
      const [of, version] = step.split('/') as [string, string?];
      if (ensembleNames.includes(of)) return this.#isReady(of, [...above, name]);
      if (!modelNames.includes(of)) return false;
      const found = this.#models(of).findLast(([number]) => version === undefined || number === Number(version));
      return found !== undefined && fits(files, [found[1]]);
    });
  }
}

test('an ensemble serves exactly while its steps do and it fits them, made of what they are; nothing is lost, and nothing waits for ever', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { maxLength: 40 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (steps, threads, isDrained) => {
        const play = new Play(threads);
        await play.step({ kind: 'apply', models: beginning });
        await play.drain();
        expect(play.stage.manager.loaded()).toHaveLength(6);
        for (const step of steps) await play.step(step);
        if (isDrained) await play.drain();
        if (isDrained) play.checkRest();
        const gone = play.stage.manager.unloadAll();
        for (const name of names) play.asked.get(name)!.push('unload');
        await play.drain();
        await gone;
        play.checkRest();
        expect(play.stage.manager.loaded()).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});
