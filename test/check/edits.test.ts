import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { without } from '../../src/check/culprit.js';
import { applyEdits, overlap, remove, replaceValue } from '../../src/check/edits.js';
import { type FieldPath, fieldText } from '../../src/config/config-source.js';
import { parseWithSource } from '../../src/config/pbtxt.js';
import { anyModelConfig } from '../config/arbitrary-config.js';
import { printModelConfig } from '../config/print-pbtxt.js';

function removed(text: string, path: FieldPath): string {
  return applyEdits(text, remove(parseWithSource(text, 'f').source, path));
}

function replaced(text: string, path: FieldPath, value: string): string {
  return applyEdits(text, replaceValue(parseWithSource(text, 'f').source, path, value));
}

describe('what is taken out', () => {
  const sizes = ['dynamic_batching', 'preferred_batch_size'];

  test.each<[string, FieldPath, string]>([
    ['a line', ['name'], 'max_batch_size: 1\nname: "m"\n'],
    ['the last line, without an end', ['name'], 'max_batch_size: 1\nname: "m"'],
  ])('%s', (_, path, text) => {
    expect(removed(text, path)).toBe('max_batch_size: 1\n');
  });

  test.each<[string, FieldPath, string]>([
    ['dynamic_batching { preferred_batch_size: 4 }', sizes, 'dynamic_batching { }'],
    [
      'dynamic_batching { preferred_batch_size: 4, preserve_ordering: true }',
      sizes,
      'dynamic_batching { preserve_ordering: true }',
    ],
    ['name: "m" max_batch_size: 1;input { }', ['max_batch_size'], 'name: "m" input { }'],
    ['  name: "m"  # mine\n', ['name'], '  # mine\n'],
    ['name: "m" # mine\n, max_batch_size: 1', ['name'], ' # mine\n max_batch_size: 1'],
    [
      'dynamic_batching { preferred_batch_size: [ 2, 4, 8 ] }',
      [...sizes, 0],
      'dynamic_batching { preferred_batch_size: [ 4, 8 ] }',
    ],
    [
      'dynamic_batching { preferred_batch_size: [ 2, 4, 8 ] }',
      [...sizes, 1],
      'dynamic_batching { preferred_batch_size: [ 2, 8 ] }',
    ],
    [
      'dynamic_batching { preferred_batch_size: [ 2, 4, 8 ] }',
      [...sizes, 2],
      'dynamic_batching { preferred_batch_size: [ 2, 4 ] }',
    ],
    ['dynamic_batching { preferred_batch_size: [ 2 ] }', [...sizes, 0], 'dynamic_batching { }'],
    ['name: "m"', ['max_batch_size'], 'name: "m"'],
  ])('%s without %j', (text, path, expected) => {
    expect(removed(text, path)).toBe(expected);
  });
});

test('a value is replaced where it stands, also one that was written in pieces', () => {
  expect(replaced('input { dims: [ 1, 2 ] # d\n }', ['input', 0, 'dims'], '[ 3 ]')).toBe('input { dims: [ 3 ] # d\n }');
  expect(replaced('input { dims: 1 dims: [ 2 ] dims: 3 name: "a" }', ['input', 0, 'dims'], '[ 4 ]')).toBe(
    'input { dims: [ 4 ] name: "a" }',
  );
});

/** Comments of a text: not what looks like one in a string. */
function comments(text: string): number {
  const parts = text.match(/"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|#[^\n]*/g) ?? [];
  return parts.filter((part) => part.startsWith('#')).length;
}

function* paths(source: ReturnType<typeof parseWithSource>['source'], path: FieldPath = []): Generator<FieldPath> {
  for (const child of source.children(path)) {
    yield child;
    yield* paths(source, child);
  }
}

test('in any style: what is taken out is gone, everything else says what it said, and comments outside of it stay', () => {
  fc.assert(
    fc.property(anyModelConfig(), fc.gen(), fc.nat(), (config, gen, nth) => {
      const text = printModelConfig(config, (choices) => gen(fc.nat, { max: choices - 1 }));
      const { source, config: before } = parseWithSource(text, 'f');
      const all = [...paths(source)].filter((path) => !path.some((part) => typeof part === 'object'));
      if (all.length === 0) return;
      const path = all[nth % all.length]!;
      const edits = remove(source, path);
      expect(edits.some((edit, index) => overlap([edit], edits.slice(index + 1)))).toBe(false);
      const after = applyEdits(text, edits);
      expect(parseWithSource(after, 'f').config, fieldText(path)).toEqual(without(before, [path]));
      const place = source.place(path)!;
      const whole = place.item === null ? place.statements : [place.statement];
      const inside = place.item === null || place.statement.items.length === 1 ? whole : [place];
      const cut = inside.reduce((sum, { at, end }) => sum + comments(text.slice(at, end)), 0);
      expect(comments(after)).toBeGreaterThanOrEqual(comments(text) - cut);
    }),
    { numRuns: 100, interruptAfterTimeLimit: 20_000 },
  );
});
