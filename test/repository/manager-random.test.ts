import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Outcome } from '../../src/repository/outcome.js';
import type { WantedModel, WantedVersion } from '../../src/repository/wanted.js';
import { broken, Hand, model, Stage, settled, type Thing } from './hand.js';

const names = ['a', 'b'];

type Step =
  | { readonly kind: 'apply'; readonly name: string; readonly versions: number[]; readonly files: string }
  | { readonly kind: 'apply'; readonly name: string; readonly versions: null; readonly files: string }
  | { readonly kind: 'unload' | 'forget'; readonly name: string }
  | { readonly kind: 'loaded' | 'failed' | 'unloaded'; readonly which: number };

const anyName = fc.constantFrom(...names);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      name: anyName,
      versions: fc.subarray([1, 2, 3], { minLength: 1 }),
      files: fc.constantFrom('x', 'y', 'x2', 'temporary'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      name: anyName,
      versions: fc.constant(null),
      files: fc.constantFrom('x', 'temporary'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('unload' as const, 'forget' as const), name: anyName }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('loaded' as const, 'loaded' as const, 'unloaded' as const, 'failed' as const),
      which: fc.nat(),
    }),
  },
);

/** What every thing was made for, and how often it was taken down. */
class Book extends Hand {
  readonly madeFor = new Map<Thing, WantedModel>();
  readonly takenDown = new Map<Thing, number>();

  override load = (wanted: WantedModel, version: WantedVersion, signal: AbortSignal): Promise<Thing> => {
    const { files, settings } = version;
    const thing: Thing = { name: `${wanted.name}/${version.version}`, files, settings, steps: [] };
    return new Promise((resolve, reject) => {
      const keep = () => {
        this.madeFor.set(thing, wanted);
        resolve(thing);
      };
      this.loading.push({ thing, signal, resolve: keep, reject });
    });
  };

  /** Files named alike but for a number differ by settings only; half of these can be changed in place. */
  override adjust = async (
    thing: Thing | null,
    _: WantedModel,
    { version, settings }: WantedVersion,
  ): Promise<boolean> => {
    if (version === 2) return false;
    thing!.settings = settings;
    return true;
  };

  override unload = (thing: Thing, heir: Thing | null): Promise<void> => {
    this.takenDown.set(thing, (this.takenDown.get(thing) ?? 0) + 1);
    if (heir !== null) expect(this.takenDown.has(heir)).toBe(false);
    return new Promise((resolve, reject) => this.unloading.push({ thing, heir, resolve, reject }));
  };
}

/** What one name should be, without any of the ways there. */
interface Twin {
  ready: readonly number[];
  /** Nothing that was asked for before is ever found. */
  unloadedAt: number;
}

class Play {
  readonly stage: Stage;
  readonly book = new Book();
  readonly twins = new Map<string, Twin>(names.map((name) => [name, { ready: [], unloadedAt: 0 }]));
  readonly asked = new Map<WantedModel, number>();
  readonly ends: Promise<void>[] = [];

  constructor(threads: number) {
    this.stage = new Stage({ threads }, this.book);
  }

  async step(step: Step): Promise<void> {
    if (step.kind === 'apply') this.#apply(step.name, step.versions, step.files);
    else if ('name' in step) this.#unload(step.kind, step.name);
    else this.#end(step.kind, step.which);
    await settled();
    for (const name of names) this.#check(name);
  }

  /** Ends all that is under way, well. */
  async drain(): Promise<void> {
    while (this.book.loading.length + this.book.unloading.length > 0) {
      await this.step({ kind: 'loaded', which: 0 });
      await this.step({ kind: 'unloaded', which: 0 });
    }
    await Promise.all(this.ends);
  }

  #apply(name: string, versions: readonly number[] | null, files: string): void {
    const at = this.asked.size + 1;
    const temporary = files === 'temporary' ? `/t${at}` : '';
    const parts = { files: temporary || files.slice(0, 1), settings: files, temporary };
    const wanted = versions === null ? broken(name, 'no', false, temporary) : model(name, versions, parts);
    this.asked.set(wanted, at);
    this.ends.push(this.stage.manager.apply(wanted).then((outcome) => this.#ended(wanted, outcome)));
  }

  #ended(wanted: WantedModel, outcome: Outcome): void {
    const twin = this.twins.get(wanted.name)!;
    if (this.asked.get(wanted)! <= twin.unloadedAt) return;
    const all = wanted.versions.map(({ version }) => version);
    if (outcome.kind === 'served') twin.ready = all;
    if (outcome.kind !== 'failed' || twin.ready.length > 0) return;
    const failed = outcome.failures.map(({ version }) => version);
    twin.ready = all.filter((version) => !failed.includes(version));
  }

  #unload(kind: 'unload' | 'forget', name: string): void {
    this.stage.manager[kind](name);
    this.twins.set(name, { ready: [], unloadedAt: this.asked.size });
    expect(this.stage.find(name)).toMatch(/^NOT_FOUND/);
    expect(this.stage.manager.readyVersions(name)).toEqual([]);
  }

  #end(kind: 'loaded' | 'failed' | 'unloaded', which: number): void {
    const list = kind === 'unloaded' ? this.book.unloading : this.book.loading;
    if (list.length === 0) return;
    const [item] = list.splice(which % list.length, 1);
    if (kind === 'failed') item!.reject(new Error('no'));
    else item!.resolve(item!.thing);
  }

  #check(name: string): void {
    const { manager } = this.stage;
    const { ready, unloadedAt } = this.twins.get(name)!;
    expect(manager.readyVersions(name)).toEqual(ready);
    if (ready.length > 0) expect(manager.find(name, '')).toBe(manager.find(name, String(ready.at(-1))));
    for (const version of ready) {
      const thing = manager.find(name, String(version));
      expect(thing.name).toBe(`${name}/${version}`);
      expect(this.book.takenDown.has(thing)).toBe(false);
      const madeFor = this.book.madeFor.get(thing)!;
      expect(this.asked.get(madeFor)).toBeGreaterThan(unloadedAt);
      expect(this.book.discarded).not.toContain(madeFor.directory);
    }
  }

  /** With nothing under way: what loaded serves or was taken down, once; temporary folders are there while they are needed. */
  checkRest(): void {
    const served = new Set(this.stage.manager.loaded());
    for (const thing of this.book.madeFor.keys()) {
      expect(this.book.takenDown.get(thing) ?? 0).toBe(served.has(thing) ? 0 : 1);
    }
    const needed = new Set([...served].map((thing) => this.book.madeFor.get(thing)!));
    const gone = [...this.asked.keys()].filter((wanted) => wanted.isTemporary && !needed.has(wanted));
    expect([...this.book.discarded].sort()).toEqual(gone.map(({ directory }) => directory).sort());
  }
}

test('whatever is asked for and however it ends, what serves goes on, and all that was loaded is taken down once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (steps, threads, isDrained) => {
        const play = new Play(threads);
        for (const step of steps) await play.step(step);
        if (isDrained) await play.drain();
        if (isDrained) play.checkRest();
        const gone = play.stage.manager.unloadAll();
        for (const name of names) play.twins.set(name, { ready: [], unloadedAt: play.asked.size });
        await play.drain();
        await gone;
        play.checkRest();
        expect(play.stage.manager.loaded()).toEqual([]);
        expect(play.stage.index.every((line) => / UNAVAILABLE |^\S*\/ /.test(line))).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});
