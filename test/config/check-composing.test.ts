import { describe, expect, test } from 'vitest';
import { checkComposing } from '../../src/config/check-composing.js';
import type { ModelConfig } from '../../src/config/model-config.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { refusal } from './refusal.js';

/** `x FP32 4,4 optional`; more than one between commas with blanks: `x FP32 4; y INT8 -1`. */
function tensors(field: 'input' | 'output', text: string): string {
  const one = (tensor: string) => {
    const [name, type, dims, more = ''] = tensor.trim().split(' ');
    const shape = dims!.split('>');
    const reshape = shape[1] === undefined ? '' : `reshape { shape: [ ${shape[1]} ] }`;
    const optional = more === 'optional' ? 'optional: true' : '';
    return `${field} { name: "${name}" data_type: TYPE_${type} dims: [ ${shape[0]} ] ${reshape} ${optional} }`;
  };
  return text.split(';').map(one).join(' ');
}

interface Parts {
  readonly batch?: number;
  readonly decoupled?: boolean;
}

function model(
  name: string,
  inputs: string,
  outputs: string,
  { batch = 8, decoupled = false }: Parts = {},
): ModelConfig {
  const policy = decoupled ? 'model_transaction_policy { decoupled: true }' : '';
  const io = `${tensors('input', inputs)} ${tensors('output', outputs)}`;
  return parseModelConfig(`name: "${name}" backend: "b" max_batch_size: ${batch} ${io} ${policy}`, 'config.pbtxt');
}

/** Steps as `m: x=a y=b -> z=c`: model inputs and outputs, each with the tensor of the ensemble. */
function ensemble(inputs: string, outputs: string, steps: readonly string[], { batch = 8 }: Parts = {}): ModelConfig {
  const map = (field: string, text: string) =>
    text
      .trim()
      .split(' ')
      .map((pair) => pair.split('='))
      .map(([key, value]) => `${field} { key: "${key}" value: "${value}" }`)
      .join(' ');
  const step = (text: string) => {
    const [, name, reads, writes] = /^(\S+): (.*) -> (.*)$/.exec(text)!;
    return `step { model_name: "${name}" model_version: -1 ${map('input_map', reads!)} ${map('output_map', writes!)} }`;
  };
  const io = `${tensors('input', inputs)} ${tensors('output', outputs)}`;
  const scheduling = `ensemble_scheduling { ${steps.map(step).join(' ')} }`;
  return parseModelConfig(
    `name: "e" platform: "ensemble" max_batch_size: ${batch} ${io} ${scheduling}`,
    'config.pbtxt',
  );
}

const verdict = (config: ModelConfig, ...models: readonly ModelConfig[]): string =>
  refusal(() => checkComposing(config, models));

const chain = (inputs: string, outputs: string, parts: Parts = {}) =>
  ensemble(inputs, outputs, ['m: x=a -> y=t', 'n: x=t -> y=b'], parts);
const one = (inputs: string, outputs: string, parts: Parts = {}) => ensemble(inputs, outputs, ['m: x=a -> y=b'], parts);

const m = model('m', 'x FP32 4', 'y FP32 4');
const n = model('n', 'x FP32 4', 'y FP32 4');

describe('is refused:', () => {
  const cases: readonly (readonly [string, ModelConfig, readonly ModelConfig[], string])[] = [
    [
      'a step with smaller batches',
      chain('a FP32 4', 'b FP32 4'),
      [m, model('n', 'x FP32 4', 'y FP32 4', { batch: 4 })],
      'ensemble e allows maximum batch size 8, but it contains model n which only allows maximum batch size to be 4',
    ],
    [
      'an input that the step does not have',
      ensemble('a FP32 4', 'b FP32 4', ['m: x=a q=a -> y=b']),
      [m],
      'in ensemble e, ensemble tensor a is mapping to non-existing input q in model m',
    ],
    [
      'an input of the step that nothing is mapped to',
      one('a FP32 4', 'b FP32 4'),
      [model('m', 'x FP32 4; z FP32 4', 'y FP32 4')],
      'in ensemble e, input z in model m is not mapped to any ensemble tensors',
    ],
    [
      'an output that the step does not have',
      ensemble('a FP32 4', 'b FP32 4', ['m: x=a -> q=b']),
      [m],
      'in ensemble e, ensemble tensor b is mapped from non-existing output q in model m',
    ],
    [
      'a datatype of the ensemble that is not the step’s',
      one('a FP64 4', 'b FP32 4'),
      [m],
      'in ensemble e, ensemble tensor a: inconsistent data type: TYPE_FP64 is inferred from model e while TYPE_FP32 is inferred from model m',
    ],
    [
      'a datatype between two steps',
      chain('a FP32 4', 'b FP32 4'),
      [model('m', 'x FP32 4', 'y STRING 4'), n],
      'in ensemble e, ensemble tensor t: inconsistent data type: TYPE_STRING is inferred from model m while TYPE_FP32 is inferred from model n',
    ],
    [
      'a datatype of an output of the ensemble',
      one('a FP32 4', 'b INT32 4'),
      [m],
      'in ensemble e, ensemble tensor b: inconsistent data type: TYPE_INT32 is inferred from model e while TYPE_FP32 is inferred from model m',
    ],
    [
      'a shape between two steps, with its batch',
      chain('a FP32 4', 'b FP32 4'),
      [model('m', 'x FP32 4', 'y FP32 5'), n],
      'in ensemble e, ensemble tensor t: inconsistent shape: [-1,5] is inferred from model m while [-1,4] is inferred from model n',
    ],
    [
      'another number of dimensions',
      one('a FP32 2,2', 'b FP32 4'),
      [m],
      'in ensemble e, ensemble tensor a: inconsistent shape: [-1,2,2] is inferred from model e while [-1,4] is inferred from model m',
    ],
    [
      'a shape of a model that does not batch, which has no room for a batch',
      chain('a FP32 4', 'b FP32 4', { batch: 0 }),
      [model('m', 'x FP32 4', 'y FP32 3,4', { batch: 0 }), model('n', 'x FP32 3', 'y FP32 4', { batch: 0 })],
      'in ensemble e, ensemble tensor t: inconsistent shape: [3,4] is inferred from model m while [3] is inferred from model n',
    ],
    [
      'the shape of clients where the ensemble reshapes its input to another',
      one('a FP32 4>2,2', 'b FP32 4'),
      [m],
      'in ensemble e, ensemble tensor a: inconsistent shape: [-1,2,2] is inferred from model e while [-1,4] is inferred from model m',
    ],
    [
      'batches before names, and names before types',
      ensemble('a FP32 4', 'b FP32 4', ['m: q=a -> y=b']),
      [model('m', 'x INT8 4', 'y FP32 4', { batch: 2 })],
      'ensemble e allows maximum batch size 8, but it contains model m which only allows maximum batch size to be 2',
    ],
  ];
  test.each(cases)('%s', (_, config, models, expected) => {
    expect(verdict(config, ...models)).toBe(`Invalid argument: ${expected}`);
  });
});

describe('is accepted:', () => {
  const cases: readonly (readonly [string, ModelConfig, readonly ModelConfig[]])[] = [
    ['a chain', chain('a FP32 4', 'b FP32 4'), [m, n]],
    ['the steps in any order', ensemble('a FP32 4', 'b FP32 4', ['n: x=t -> y=b', 'm: x=a -> y=t']), [n, m]],
    ['larger batches of a step', chain('a FP32 4', 'b FP32 4', { batch: 2 }), [m, n]],
    ['an ensemble without batches over models with', one('a FP32 -1,4', 'b FP32 -1,4', { batch: 0 }), [m]],
    [
      'a model without batches in an ensemble with',
      one('a FP32 4', 'b FP32 4'),
      [model('m', 'x FP32 4', 'y FP32 -1,4', { batch: 0 })],
    ],
    [
      'a model without batches that has room for them',
      one('a FP32 4', 'b FP32 4'),
      [model('m', 'x FP32 -1,4', 'y FP32 4', { batch: 0 })],
    ],
    ['open dimensions on either side', chain('a FP32 -1', 'b FP32 4'), [m, model('n', 'x FP32 -1', 'y FP32 -1')]],
    [
      'an optional input that nothing is mapped to',
      one('a FP32 4', 'b FP32 4'),
      [model('m', 'x FP32 4; z FP32 4 optional', 'y FP32 4')],
    ],
    [
      'an output of a step that nobody wants',
      one('a FP32 4', 'b FP32 4'),
      [model('m', 'x FP32 4', 'y FP32 4; z INT8 1')],
    ],
    [
      'one tensor for several inputs',
      ensemble('a FP32 4', 'b FP32 4', ['m: x=a z=a -> y=b']),
      [model('m', 'x FP32 4; z FP32 4', 'y FP32 4')],
    ],
    [
      'the dims of a step, not what it reshapes them to',
      one('a FP32 4', 'b FP32 4'),
      [model('m', 'x FP32 4>2,2', 'y FP32 4>2,2')],
    ],
    ['what the ensemble reshapes to', one('a FP32 2,2>4', 'b FP32 2,2>4'), [m]],
    [
      'an inner tensor that is an output too',
      ensemble('a FP32 4', 't FP32 4; b FP32 4', ['m: x=a -> y=t', 'n: x=t -> y=b']),
      [m, n],
    ],
    ['one model in two steps', ensemble('a FP32 4', 'b FP32 4', ['m: x=a -> y=t', 'm: x=t -> y=b']), [m, m]],
  ];
  test.each(cases)('%s', (_, config, models) => {
    expect(verdict(config, ...models)).toBe('accepted');
  });
});

test('a step that is an ensemble is held by its own inputs, outputs and batches', () => {
  const inner = { ...one('x FP32 4', 'y FP32 4', { batch: 4 }), name: 'inner' };
  const outer = (batch: number, type: string) => ensemble(`a ${type} 4`, 'b FP32 4', ['inner: x=a -> y=b'], { batch });
  expect(verdict(outer(4, 'FP32'), inner)).toBe('accepted');
  expect(verdict(outer(8, 'FP32'), inner)).toMatch(
    /but it contains model inner which only allows maximum batch size to be 4$/,
  );
  expect(verdict(outer(4, 'BOOL'), inner)).toMatch(
    /TYPE_BOOL is inferred from model e while TYPE_FP32 is inferred from model inner$/,
  );
});

describe('decoupled', () => {
  const many = model('m', 'x FP32 4', 'y FP32 4', { decoupled: true });
  const two = model('n', 'x FP32 4; z FP32 4', 'y FP32 4');
  const isDecoupled = (config: ModelConfig, ...models: readonly ModelConfig[]) =>
    checkComposing(config, models).model_transaction_policy!.decoupled;

  test('is an ensemble with a step that is, whatever it says itself', () => {
    const written = { ...chain('a FP32 4', 'b FP32 4'), model_transaction_policy: { decoupled: true } };
    expect(isDecoupled(written, m, n)).toBe(false);
    expect(isDecoupled(chain('a FP32 4', 'b FP32 4'), many, n)).toBe(true);
    expect(isDecoupled(chain('a FP32 4', 'b FP32 4'), m, many)).toBe(true);
  });

  test('is an ensemble over one that is, by what was found of that', () => {
    const inner = { ...checkComposing(one('x FP32 4', 'y FP32 4'), [many]), name: 'inner' };
    expect(isDecoupled(ensemble('a FP32 4', 'b FP32 4', ['inner: x=a -> y=b']), inner)).toBe(true);
  });

  const mixed = "in ensemble e, step of model 'n' receives inputs originated from different decoupled models";
  test.each([
    ['two decoupled models meet', ['m: x=a -> y=s', 'm: x=a -> y=t', 'n: x=s z=t -> y=b'], [many, many, two], mixed],
    ['an input meets what a decoupled model made of it', ['m: x=a -> y=t', 'n: x=a z=t -> y=b'], [many, two], mixed],
    [
      'a decoupled model after another meets the first',
      ['n: x=s z=t -> y=b', 'm: x=s -> y=t', 'm: x=a -> y=s'],
      [two, many, many],
      mixed,
    ],
  ])('refused where %s', (_, steps, models, expected) => {
    expect(verdict(ensemble('a FP32 4', 'b FP32 4', steps), ...models)).toBe(`Invalid argument: ${expected}`);
  });

  test('outputs of the ensemble come from one decoupled model', () => {
    const steps = ['m: x=a -> y=b', 'n: x=a -> y=c'];
    expect(verdict(ensemble('a FP32 4', 'b FP32 4; c FP32 4', steps), many, n)).toBe(
      "Invalid argument: in ensemble e, step of model 'e' receives inputs originated from different decoupled models",
    );
  });

  test('one decoupled model may feed several steps that meet again', () => {
    const steps = ['m: x=a -> y=s', 'n: x=s -> y=t', 'n: x=s z=t -> y=b'];
    expect(verdict(ensemble('a FP32 4', 'b FP32 4', steps), many, n, two)).toBe('accepted');
    expect(verdict(ensemble('a FP32 4', 'b FP32 4; s FP32 4', steps), many, n, two)).toBe('accepted');
  });
});
