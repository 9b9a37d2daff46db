import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import {
  closesCircle,
  couldMean,
  type Dependent,
  needsOf,
  resolveStep,
  stepsFirst,
  stepsOf,
} from '../../src/repository/dependencies.js';

const known = (...names: string[]) => new Map(names.map((name) => [name, null]));
const step = (name: string, version = -1) => ({ name, version });

function model(name: string, needs: readonly string[] = [], namespace = ''): Dependent {
  return { name, namespace, steps: needs.map((need) => step(need)) };
}

test('steps are what the configuration names, with the versions that it asks for', () => {
  const text =
    'ensemble_scheduling { step { model_name: "a" model_version: -1 } step { model_name: "b" model_version: 3 } }';
  expect(stepsOf(parseModelConfig(text, ''))).toEqual([step('a'), step('b', 3)]);
  expect(stepsOf(parseModelConfig('backend: "b"', ''))).toEqual([]);
});

describe('a step means', () => {
  test.each([
    ['the model of its name', '', ['m', 'n'], 'm'],
    ['none that is not known', '', ['n'], null],
    ['the one of its own repository', 'red', ['red::m', 'blue::m'], 'red::m'],
    ['the one of its own repository before one of the plain name', 'red', ['m', 'red::m'], 'red::m'],
    ['one of the plain name', 'green', ['m'], 'm'],
    ['the only one of another repository', 'green', ['blue::m', 'blue::mm'], 'blue::m'],
    ['none where several other repositories have it', 'green', ['red::m', 'blue::m'], null],
  ])('%s', (_, namespace, names, expected) => {
    expect(resolveStep(step('m'), namespace, known(...names))).toBe(expected);
  });

  it('could mean a model of its name in any repository', () => {
    expect(['m', 'red::m', 'n', 'xm'].map((name) => couldMean(step('m'), name))).toEqual([true, true, false, false]);
  });
});

test('what a model needs is said once, and only what is known', () => {
  expect(needsOf(model('e', ['m', 'n', 'x', 'm']), known('n', 'm'))).toEqual(['m', 'n']);
});

test('steps come before what needs them', () => {
  const models = [model('top', ['mid', 'a']), model('mid', ['a', 'b']), model('b'), model('a')];
  expect(stepsFirst(models).map(({ name }) => name)).toEqual(['a', 'b', 'mid', 'top']);
  const circle = [model('x', ['y']), model('y', ['x']), model('z', ['x'])];
  expect(
    stepsFirst(circle)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['x', 'y', 'z']);
});

test('a circle is closed by the model whose step is where it began', () => {
  const needs: Record<string, string[]> = { a: ['m', 'b'], b: ['c'], c: ['m', 'a'], d: ['a'], s: ['s'], m: [] };
  const closes = (name: string) => closesCircle(name, (it) => needs[it]!);
  expect(['a', 'b', 'c', 'd', 's', 'm'].map(closes)).toEqual(['c', 'a', 'b', null, 's', null]);
});

test('in any graph, order and circles agree with what can be reached', () => {
  const names = ['0', '1', '2', '3', '4'];
  const anyGraph = fc.array(fc.subarray(names), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(anyGraph, (graph) => {
      const reach = names.map((_, i) => new Set(graph[i]!.map(Number)));
      for (let k = 0; k < 5; k++)
        for (let i = 0; i < 5; i++) if (reach[i]!.has(k)) for (const j of reach[k]!) reach[i]!.add(j);
      const sorted = stepsFirst(names.map((name, i) => model(name, graph[i]!))).map(({ name }) => Number(name));
      expect([...sorted].sort()).toEqual([0, 1, 2, 3, 4]);
      for (const i of names.map(Number)) {
        const closing = closesCircle(String(i), (name) => graph[Number(name)]!);
        expect(closing !== null).toBe(reach[i]!.has(i));
        if (closing !== null) expect(graph[Number(closing)]).toContain(String(i));
        for (const need of graph[i]!.map(Number)) {
          if (!reach[need]!.has(i)) expect(sorted.indexOf(need)).toBeLessThan(sorted.indexOf(i));
        }
      }
    }),
  );
});
