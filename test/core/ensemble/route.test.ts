import { describe, expect, test } from 'vitest';
import { routeTo } from '../../../src/core/ensemble/route.js';
import { Arena } from '../../../src/memory/arena.js';
import { Agenda, configOf, FakeStep } from './fake-step.js';
import { type EnsembleText, makeEnsemble } from './made.js';

const arena = new Arena(1 << 16);

/** `two` has two inputs and two outputs, `many` answers any number of times. */
function model(name: string, isDecoupled = false): FakeStep {
  const tensor = (kind: string, of: string) => `${kind} { name: "${of}" data_type: TYPE_INT32 dims: [ 1 ] }`;
  const config = configOf(`name: "${name}" backend: "fake" ${tensor('input', 'A')} ${tensor('input', 'B')}
    ${tensor('output', 'X')} ${tensor('output', 'Y')} model_transaction_policy { decoupled: ${isDecoupled} }`);
  const deed = () => ({ kind: 'answers' as const, isSudden: false, answers: [] });
  return new FakeStep({ config, arena, agenda: new Agenda(), deed });
}

const models = { two: model('two'), many: model('many', true) };

const diamond: EnsembleText = {
  inputs: ['in'],
  outputs: ['sum', 'left', 'right', 'in'],
  steps: [
    'two A=in B=in -> X=sum Y=difference',
    'two A=sum B=in -> X=left',
    'two A=difference B=sum -> X=right Y=unread',
    'two A=right B=unread -> X=end',
  ],
};

/** In the names of the configuration. */
function route(text: EnsembleText, outputs: readonly string[]) {
  const { graph } = makeEnsemble(text, models, arena);
  const nameOf = (tensor: number) => graph.tensors[tensor]!.name;
  const asked = outputs.map((name) => graph.tensors.findIndex((tensor) => tensor.name === name));
  const { steps, readers, levels, depth } = routeTo(graph, asked);
  return {
    steps: steps.map(
      ({ at, outputs: written, level }) => `${at}@${level}: ${written.map(({ tensor }) => nameOf(tensor))}`,
    ),
    readers: Object.fromEntries(
      readers.flatMap((places, tensor) => (places.length > 0 ? [[nameOf(tensor), places]] : [])),
    ),
    levels: Object.fromEntries(levels.map((level, tensor) => [nameOf(tensor), level])),
    depth,
  };
}

describe('of an ensemble only what is needed runs', () => {
  test.each([
    [['sum'], ['0@0: sum'], { in: [0] }],
    [['left'], ['0@0: sum', '1@0: left'], { in: [0, 1], sum: [1] }],
    [['right'], ['0@0: sum,difference', '2@0: right'], { in: [0], sum: [1], difference: [1] }],
    [
      ['right', 'sum', 'left'],
      ['0@0: sum,difference', '1@0: left', '2@0: right'],
      { in: [0, 1], sum: [1, 2], difference: [2] },
    ],
    [
      ['end'],
      ['0@0: sum,difference', '2@0: right,unread', '3@0: end'],
      { in: [0], sum: [1], difference: [1], right: [2], unread: [2] },
    ],
    [['in'], [], {}],
  ])('for %j', (outputs, steps, readers) => {
    expect(route(diamond, outputs)).toMatchObject({ steps, readers, depth: 0 });
  });

  test('in whichever order its steps are written', () => {
    const backwards = { ...diamond, steps: [...diamond.steps].reverse() };
    expect(route(backwards, ['left']).steps).toEqual(['2@0: left', '3@0: sum']);
  });
});

describe('behind a decoupled step everything is one level deeper', () => {
  const levelled: EnsembleText = {
    inputs: ['in'],
    outputs: ['out'],
    steps: [
      'two A=in B=in -> X=before',
      'many A=in B=before -> X=part Y=other',
      'two A=part B=before -> X=behind',
      'many A=behind B=in -> X=deep',
      'two A=in B=before -> X=beside',
      'two A=deep B=beside -> X=out',
    ],
  };

  test('and its answers are complete on the deepest level that is asked for', () => {
    expect(route(levelled, ['out'])).toMatchObject({
      steps: ['0@0: before', '1@0: part', '2@1: behind', '3@1: deep', '4@0: beside', '5@2: out'],
      levels: { in: 0, before: 0, part: 1, other: 1, behind: 1, deep: 2, beside: 0, out: 2 },
      depth: 2,
    });
    expect(route(levelled, ['behind']).depth).toBe(1);
  });

  test('but not for outputs that do not come from there', () => {
    expect(route(levelled, ['beside'])).toMatchObject({ steps: ['0@0: before', '4@0: beside'], depth: 0 });
  });
});
