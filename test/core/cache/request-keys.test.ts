import { expect, test } from 'vitest';
import { normalizeConfig } from '../../../src/config/normalize.js';
import { parseModelConfig } from '../../../src/config/pbtxt.js';
import { RequestKeys } from '../../../src/core/cache/request-keys.js';
import { checkRequest } from '../../../src/core/check-request.js';
import type { AcceptedRequest } from '../../../src/core/infer-response.js';
import { ModelTensors } from '../../../src/core/model-tensors.js';
import { Arena } from '../../../src/memory/arena.js';
import type { InferHead, OutputHead, ParameterValue } from '../../../src/types/infer.js';

const text = `name: "m" max_batch_size: 8
  input { name: "A" data_type: TYPE_UINT8 dims: [ -1, -1 ] } input { name: "B" data_type: TYPE_UINT8 dims: [ -1, -1 ] }
  input { name: "S" data_type: TYPE_STRING dims: [ 1 ] optional: true } input { name: "T" data_type: TYPE_STRING dims: [ 1 ] optional: true }
  output { name: "Y" data_type: TYPE_UINT8 dims: [ -1 ] } output { name: "Z" data_type: TYPE_UINT8 dims: [ -1 ] }`;
const config = normalizeConfig(parseModelConfig(text, 'config.pbtxt'), { gpus: [] });
const arena = new Arena(1 << 16);

interface Input {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: readonly number[];
}

interface Settings {
  readonly inputs?: readonly Input[];
  readonly outputs?: readonly (readonly [name: string, classCount: number])[];
  readonly id?: string;
  readonly parameters?: ReadonlyMap<string, ParameterValue>;
  readonly binary?: boolean;
}

const A: Input = { name: 'A', shape: [1, 2, 3], bytes: [1, 2, 3, 4, 5, 6] };
const B: Input = { name: 'B', shape: [1, 1, 1], bytes: [7] };
const string = (name: string, bytes: readonly number[]): Input => ({ name, shape: [1, 1], bytes });

function request(tensors: ModelTensors, { inputs = [A, B], ...settings }: Settings): AcceptedRequest {
  const outputs: OutputHead[] = (settings.outputs ?? []).map(([name, classCount]) => ({
    name,
    binary: settings.binary ?? true,
    classCount,
    shared: null,
  }));
  const head: InferHead = {
    ...{ id: settings.id ?? '', sequenceId: 0, sequenceStart: false, sequenceEnd: false, priority: 0, timeoutUs: 0 },
    inputs: inputs.map(({ name, shape, bytes }) => ({
      ...{ name, shape, datatype: name > 'B' ? 'BYTES' : 'UINT8' },
      source: { kind: 'binary', byteSize: bytes.length },
    })),
    outputs,
    binaryOutput: settings.binary ?? true,
    parameters: settings.parameters ?? new Map(),
  };
  const plan = checkRequest('m', tensors, head);
  const begins = inputs.map(({ bytes }) => {
    const slot = arena.take(bytes.length)!;
    arena.bytes.set(bytes, slot.offset);
    return slot.offset;
  });
  return {
    ...{ model: { name: 'm', version: 1, isDecoupled: false, arena }, plan },
    trace: null,
    requestId: '',
    isTimed: false,
    inputBegin: (nth) => begins[nth]!,
    inputBytes: (nth) => inputs[nth]!.bytes.length,
    submit() {},
    abandon() {},
    cancel() {},
  };
}

const traits = (readsHeads: boolean) => ({ scalars: new Set<string>(), readsHeads });
const tensors = new ModelTensors(config, new Map(), traits(false));
const keyOf = (settings: Settings, scope = 'm/1/1', model = tensors) =>
  new RequestKeys(scope, model).keyOf(request(model, settings));

test('equal requests have equal keys, whatever they are called, in which order their inputs come and how outputs are sent', () => {
  const keys = [
    keyOf({}),
    keyOf({}),
    keyOf({ id: 'other' }),
    keyOf({ inputs: [B, A] }),
    keyOf({ binary: false }),
    keyOf({
      outputs: [
        ['Y', 0],
        ['Z', 0],
      ],
    }),
    keyOf({ parameters: new Map([['p', 1]]) }),
  ];
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^[\w-]{43}$/);
});

test('what may change the answer changes the key', () => {
  const keys = [
    keyOf({}),
    keyOf({}, 'm/1/2'),
    keyOf({ inputs: [{ ...A, bytes: [1, 2, 3, 4, 5, 7] }, B] }),
    keyOf({ inputs: [{ ...A, shape: [1, 3, 2] }, B] }),
    keyOf({ inputs: [{ ...A, shape: [1, 1, 6] }, B] }),
    keyOf({
      inputs: [
        { ...A, name: 'B' },
        { ...B, name: 'A' },
      ],
    }),
    keyOf({ outputs: [['Y', 0]] }),
    keyOf({ outputs: [['Z', 0]] }),
    keyOf({ outputs: [['Y', 1]] }),
    keyOf({ outputs: [['Y', 2]] }),
    keyOf({ inputs: [A, B, string('S', [1, 0, 0, 0, 65])] }),
    keyOf({ inputs: [A, B, string('T', [1, 0, 0, 0, 65])] }),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test('bytes cannot move from one string to the next', () => {
  const first = [string('S', [0, 0, 0, 0]), string('T', [0, 0, 0, 0, 1])];
  const second = [string('S', [0, 0, 0, 0, 0]), string('T', [0, 0, 0, 1])];
  expect(keyOf({ inputs: [A, B, ...first] })).not.toBe(keyOf({ inputs: [A, B, ...second] }));
});

test('parameters are part of it where the model is told them', () => {
  const told = new ModelTensors(config, new Map(), traits(true));
  const keys = [undefined, 1, '1', 2n ** 60n].map((value) =>
    keyOf({ parameters: value === undefined ? new Map() : new Map([['p', value]]) }, 'm', told),
  );
  expect(new Set(keys).size).toBe(keys.length);
});

test('a new scope makes all keys new', () => {
  const keys = new RequestKeys('m/1/1', tensors);
  const one = request(tensors, {});
  const before = keys.keyOf(one);
  keys.rescope('m/1/2');
  expect(keys.keyOf(one)).not.toBe(before);
  keys.rescope('m/1/1');
  expect(keys.keyOf(one)).toBe(before);
});
