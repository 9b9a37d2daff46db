import { expect, test } from 'vitest';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { validateEnsemble } from '../../src/config/validate-ensemble.js';
import { refusal } from './refusal.js';

const verdict = (text: string): string => refusal(() => validateEnsemble(parseModelConfig(text, 'config.pbtxt')));

/** `a -> b c` reads the ensemble tensor a and writes b and c. */
function step(text: string): string {
  const [inputs, outputs] = text.split(' -> ').map((side) => side.split(' '));
  const map = (field: string, tensors: string[]) =>
    tensors.map((tensor, i) => `${field} { key: "k${i}" value: "${tensor}" }`).join(' ');
  return `step { model_name: "n" ${map('input_map', inputs!)} ${map('output_map', outputs!)} }`;
}

function ensemble(inputs: string, outputs: string, ...steps: string[]): string {
  const tensors = (field: string, names: string) =>
    names
      .split(' ')
      .map((name) => `${field} { name: "${name}" }`)
      .join(' ');
  const scheduling = `ensemble_scheduling { ${steps.map(step).join(' ')} }`;
  return `name: "e" platform: "ensemble" ${tensors('input', inputs)} ${tensors('output', outputs)} ${scheduling}`;
}

const good = ensemble('a', 'b', 'a -> b');

test.each([
  [
    'name: "e" platform: "p" ensemble_scheduling { }',
    "ensemble scheduling cannot be set for model 'e' whose platform is not ensemble",
  ],
  ['name: "e" platform: "ensemble"', 'ensemble scheduling must be set for ensemble e whose platform is ensemble'],
  [`${good} instance_group { }`, "instance group should not be specified for ensemble 'e'"],
  [`${good} optimization { }`, "optimization should not be specified for ensemble 'e'"],
  [`${good} model_warmup { }`, "model_warmup can not be specified for ensemble 'e'"],
  ['name: "e" platform: "ensemble" ensemble_scheduling { }', "must specify 'step' for ensemble 'e'"],
  [
    'name: "e" platform: "ensemble" ensemble_scheduling { step { } }',
    "must specify 'model_name' in step 0 of ensemble 'e'",
  ],
  [
    'name: "e" platform: "ensemble" ensemble_scheduling { step { model_name: "n" } }',
    "must specify 'input_map' in step 0 of ensemble 'e'",
  ],
  [
    'name: "e" platform: "ensemble" ensemble_scheduling { step { model_name: "n" input_map { key: "k" value: "v" } } }',
    "must specify 'output_map' in step 0 of ensemble 'e'",
  ],
  [
    ensemble('a', 'b', 'a -> b', 'a -> b'),
    "ensemble tensor 'b' can appear in an output map only once for ensemble 'e' step 1",
  ],
  [ensemble('a q', 'b', 'a -> b'), "ensemble input 'q' for ensemble e' is not used"],
  [ensemble('a', 'b q', 'a -> b'), "ensemble output 'q' for ensemble e' is not used"],
  [
    ensemble('a', 'c', 'a x -> b', 'b -> c'),
    "output 'c' for ensemble 'e' is not written: at least one of its depending tensors, 'x', is not connected",
  ],
  [ensemble('a', 'c', 'a d -> c', 'c -> d'), "output 'c' for ensemble 'e' is not written"],
  [ensemble('a', 'b', 'a -> b c'), "ensemble tensor 'c' is unused in ensemble 'e'"],
])('%s', (text, expected) => {
  expect(verdict(text)).toBe(`Invalid argument: ${expected}`);
});

test.each([
  ['a chain', ensemble('a', 'c', 'a -> b', 'b -> c')],
  ['steps in any order', ensemble('a', 'c', 'b -> c', 'a -> b')],
  ['a diamond', ensemble('a', 'd', 'a -> b', 'a -> c', 'b c -> d')],
  ['an output that is an inner tensor too', ensemble('a', 'b c', 'a -> b', 'b -> c')],
  ['a model that is no ensemble', 'name: "m" backend: "b"'],
])('%s is accepted', (_, text) => {
  expect(verdict(text)).toBe('accepted');
});
