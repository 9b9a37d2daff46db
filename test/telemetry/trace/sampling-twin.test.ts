import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Sampling } from '../../../src/telemetry/trace/sampling.js';
import { defaultTraceSettings, type TraceField, type TraceSettings } from '../../../src/telemetry/trace/settings.js';

const atStart: TraceSettings = { ...defaultTraceSettings, mode: 'opentelemetry', levels: ['TIMESTAMPS'], rate: 2 };
const models = ['a', 'b'];
type Own = Partial<Record<TraceField, unknown>>;

/** Settings as they would be said: a table of what each scope says, read anew each time. */
class Twin {
  readonly #own = new Map<string | null, Own>();
  /** By who counts. */
  readonly #seen = new Map<string | null, number>();

  settings(scope: string | null): TraceSettings {
    return { ...atStart, ...this.#own.get(null), ...(scope === null ? {} : this.#own.get(scope)) } as TraceSettings;
  }

  change(scope: string | null, field: TraceField, value: unknown): void {
    const own = { ...this.#own.get(scope), [field]: value };
    if (value === null) delete own[field];
    this.#own.set(scope, own);
    if (scope === null) this.#seen.clear();
    else this.#seen.delete(scope);
  }

  /** Count is left out: it runs down. */
  take(model: string): boolean {
    const who = Object.keys(this.#own.get(model) ?? {}).length > 0 ? model : null;
    const { levels, rate } = this.settings(model);
    if (levels.length === 0) return false;
    const seen = (this.#seen.get(who) ?? 0) + 1;
    this.#seen.set(who, seen);
    return rate > 0 && seen % rate === 0;
  }
}

const scope = fc.constantFrom(null, ...models);
const change = fc.oneof(
  fc.tuple(fc.constant('rate' as const), fc.constantFrom(null, 0, 1, 2, 3)),
  fc.tuple(fc.constant('levels' as const), fc.constantFrom(null, [], ['TIMESTAMPS'], ['TENSORS'])),
  fc.tuple(fc.constant('logFrequency' as const), fc.constantFrom(null, 0, 5)),
);
const action = fc.oneof(
  fc.record({ kind: fc.constant('change' as const), scope, change }),
  fc.record({ kind: fc.constant('take' as const), model: fc.constantFrom(...models, 'c') }),
);

test('settings and samples are those of a table that is read anew each time', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const sampling = new Sampling(atStart);
      const twin = new Twin();
      for (const act of actions) {
        if (act.kind === 'take') {
          expect(sampling.take(act.model, false)).toBe(twin.take(act.model));
          continue;
        }
        const [field, value] = act.change;
        sampling.change(act.scope, { [field]: value });
        twin.change(act.scope, field, value);
        for (const name of [null, ...models, 'c']) expect(sampling.settingsOf(name)).toEqual(twin.settings(name));
      }
    }),
    { numRuns: 500 },
  );
});
