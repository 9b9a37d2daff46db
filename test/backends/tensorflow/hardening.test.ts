import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { convertGraph } from '../../../src/backends/tensorflow/convert.js';
import { ServerError } from '../../../src/types/errors.js';
import { encode, type Field } from '../onnx-builder.js';
import { readCases } from './cases.js';
import { attribute, constant, FLOAT, node, placeholder, string } from './graph-builder.js';

const NOTHING = { inputs: [], outputs: [] };

function failure(graph: Uint8Array): string {
  try {
    convertGraph(graph, NOTHING);
  } catch (error) {
    if (error instanceof ServerError) return `${error}`;
    throw error;
  }
  return '';
}

test('all nodes that cannot be translated are named at once', () => {
  const graph = encode([
    placeholder('x'),
    node('a', 'Sauce', ['x']),
    node('b', 'Relu', ['a']),
    node('c', 'Soup', ['b']),
  ]);
  expect(failure(graph)).toBe(
    "Unsupported: the TensorFlow graph has 2 nodes that cannot be translated to ONNX: Sauce 'a'; Soup 'c'",
  );
});

test('a node that lacks an input is named', () => {
  expect(failure(encode([placeholder('x'), node('a', 'Add', ['x'])]))).toBe(
    "Invalid argument: the TensorFlow graph has a node that cannot be translated to ONNX: Add 'a' (has 1 inputs, and no input 1)",
  );
  expect(failure(encode([node('a', 'Relu', ['y'])]))).toBe("Invalid argument: the graph has no node 'y'");
});

test('a circle is told', () => {
  const graph = encode([
    placeholder('x'),
    node('a', 'Add', ['x', 'b']),
    node('b', 'Neg', ['a']),
    node('c', 'Neg', ['b']),
  ]);
  expect(failure(graph)).toMatch(/^Invalid argument: the graph goes in a circle at node '[ab]'$/);
});

test('a chain is as long as it is', () => {
  const chain = Array.from({ length: 20_000 }, (_, i) => node(`n${i + 1}`, 'Neg', [i === 0 ? 'x' : `n${i}`]));
  expect(failure(encode([placeholder('x'), ...chain.reverse()]))).toBe('');
});

test('a tensor of few bytes cannot ask for gigabytes', () => {
  const dims = [1 << 20, 1 << 20].map((varint) => ({ number: 2, message: [{ number: 1, varint }] }));
  const tensor = [
    { number: 1, varint: 1 },
    { number: 2, message: dims },
    { number: 5, fixed32: 1 },
  ];
  const graph = encode([
    node('c', 'Const', [], [attribute('value', { number: 8, message: tensor })]),
    node('y', 'Neg', ['c']),
  ]);
  expect(failure(graph)).toContain('elements that are not written out');
});

test.each(['ResizeArea', 'ResizeBicubic'])('%s makes no matrix of any size', (op) => {
  const resized = (...size: number[]) =>
    failure(
      encode([
        placeholder('x', [1, 4, 5, 3]),
        constant('size', [2], Int32Array.of(...size)),
        node('y', op, ['x', 'size'], [attribute('T', FLOAT)]),
      ]),
    );
  expect(resized(8, 8)).toBe('');
  expect(resized(8, 2 ** 30)).toContain(`${op} 'y' (a side of 5 pixels made ${2 ** 30})`);
  expect(resized(0, 8)).toContain(`${op} 'y' (a side of 4 pixels made 0)`);
});

const INT32: Field = { number: 6, varint: 3 };

/** A loop of TensorFlow 1 that counts from `start` to 3: its parts by their names behind that of the loop. */
function frame(name: string, start: string, body: string | null = null): Field[] {
  const enter = (part: string, input: string) =>
    node(`${name}/${part}`, 'Enter', [input], [attribute('frame_name', string(name)), attribute('T', INT32)]);
  return [
    enter('Enter', start),
    enter('Limit', 'three'),
    enter('Step', 'one'),
    node(`${name}/Merge`, 'Merge', [`${name}/Enter`, `${name}/NextIteration`]),
    node(`${name}/Less`, 'Less', [`${name}/Merge`, `${name}/Limit`]),
    node(`${name}/LoopCond`, 'LoopCond', [`${name}/Less`]),
    node(`${name}/Switch`, 'Switch', [`${name}/Merge`, `${name}/LoopCond`]),
    node(`${name}/Add`, 'AddV2', [body ?? `${name}/Switch:1`, `${name}/Step`]),
    node(`${name}/NextIteration`, 'NextIteration', [`${name}/Add`]),
    node(`${name}/Exit`, 'Exit', [`${name}/Switch`]),
  ];
}

const numbers = ['zero', 'one', 'two', 'three'].map((name, i) => constant(name, [], Int32Array.of(i)));

test('a loop that is none is named, with the reason', () => {
  const refused = (reason: string) =>
    `Unsupported: the TensorFlow graph has a node that cannot be translated to ONNX: Exit 'a/Exit' (${reason})`;
  const turned = (graph: readonly Field[]) => failure(encode([...numbers, ...graph, node('y', 'Neg', ['a/Exit'])]));
  expect(turned(frame('a', 'zero'))).toBe('');
  expect(turned(frame('a', 'zero', 'a/Exit'))).toBe(refused("the loop runs into itself at 'a/Exit'"));
  expect(turned(frame('a', 'a/Exit'))).toMatch(/^Invalid argument: the graph goes in a circle at node 'a\//);
  expect(turned([...frame('a', 'zero', 'b/Switch:1'), ...frame('b', 'zero')])).toMatch(/'b\/.*' is of another loop/);
  const noNext = frame('a', 'zero').with(8, node('a/NextIteration', 'Identity', ['a/Add']));
  expect(turned(noNext)).toBe(refused("'a/Merge' does not bring a variable of the loop in and round"));
});

test('a loop without an end, and parts of one, are named by what asks for them', () => {
  const [enter] = frame('a', 'zero');
  expect(failure(encode([...numbers, enter!, node('y', 'Neg', ['a/Enter'])]))).toMatch(
    /translated to ONNX: Enter 'a\/Enter'$/,
  );
  const inside = [...frame('a', 'zero').slice(0, -1), node('y', 'Neg', ['a/Switch:1'])];
  expect(failure(encode([...numbers, ...inside]))).toContain("Enter 'a/Enter'");
});

test('many loops, one behind the other or in the other, end', () => {
  const behind = Array.from({ length: 500 }, (_, i) => frame(`l${i}`, i === 0 ? 'zero' : `l${i - 1}/Exit`)).flat();
  expect(failure(encode([...numbers, ...behind, node('y', 'Neg', ['l499/Exit'])]))).toBe('');
  // Each starts within the one before, from where that one stands.
  const within = Array.from({ length: 300 }, (_, i) =>
    frame(`l${i}`, i === 0 ? 'zero' : `l${i - 1}/Switch:1`, i === 299 ? null : `l${i + 1}/Exit`),
  ).flat();
  expect(failure(encode([...numbers, ...within, node('y', 'Neg', ['l0/Exit'])]))).not.toBe('');
});

/** An argument or output of a function: a float. */
function argument(number: 2 | 3, name: string): Field {
  return {
    number,
    message: [
      { number: 1, text: name },
      { number: 3, varint: 1 },
    ],
  };
}

/** A function of `a` that gives what its node `n` does. */
function calling(name: string, op: string): Field {
  const signature = { number: 1, message: [{ number: 1, text: name }, argument(2, 'a'), argument(3, 'b')] };
  const inner = { ...node('n', op, ['a']), number: 3 };
  const returned = {
    number: 4,
    message: [
      { number: 1, text: 'b' },
      { number: 2, text: 'n:y:0' },
    ],
  };
  return { number: 1, message: [signature, inner, returned] };
}

function named(key: string, called: string): Field {
  return attribute(key, { number: 10, message: [{ number: 1, text: called }] });
}

test('what cannot be translated in the functions of a loop is named at once, and once', () => {
  const loop = node('w', 'While', ['x'], [named('cond', 'Course'), named('body', 'Turn')]);
  const graph = (...functions: Field[]) => encode([placeholder('x'), loop, { number: 2, message: functions }]);
  expect(failure(graph(calling('Course', 'Sauce'), calling('Turn', 'Soup')))).toMatch(
    / 2 nodes .*: Sauce 'w\/n'; Soup 'w\/n'$/,
  );
  expect(failure(graph(calling('Course', 'Sauce'), calling('Turn', 'Neg')))).toMatch(/ a node .*: Sauce 'w\/n'$/);
  expect(failure(graph(calling('Course', 'Sauce')))).toMatch(/While 'w' \(the graph has no function 'Turn'\)$/);
  const scalar = placeholder('x', []);
  const endless = { number: 2, message: [calling('Course', 'IsNan'), calling('Turn', 'Turn')] };
  expect(failure(encode([scalar, loop, endless]))).toContain('functions call each other deeper than 64');
});

test('a node of a branch can be an input', async () => {
  const graph = encode([
    placeholder('x'),
    constant('p', [], true),
    node('s', 'Switch', ['x', 'p']),
    node('n', 'Neg', ['s:1'], [attribute('T', FLOAT)]),
    node('a', 'Abs', ['s']),
    node('y', 'Merge', ['a', 'n']),
  ]);
  const fed = convertGraph(graph, { inputs: [{ name: 'n', shape: [2] }], outputs: [] });
  const session = await ort.InferenceSession.create(fed, { intraOpNumThreads: 1 });
  const [x, n] = [
    [3, 4],
    [1, 2],
  ].map((values) => new ort.Tensor('float32', values, [2]));
  const { y } = await session.run({ x: x!, n: n! });
  expect([...(y!.data as Float32Array)]).toEqual([1, 2]);
  await session.release();
});

/** The same numbers in each run. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('graphs that are cut short or changed at random are refused, or are graphs', () => {
  const random = randoms(5);
  for (const { graph } of [...readCases('./ops.ndjson.gz'), ...readCases('./loops.ndjson.gz')]) {
    const bytes = Buffer.from(graph, 'base64');
    for (let i = 0; i < 15; i++) {
      const changed = Uint8Array.from(bytes.subarray(0, i < 2 ? Math.floor(random() * bytes.length) : bytes.length));
      for (let j = 0; j < i && changed.length > 0; j++) changed[Math.floor(random() * changed.length)] = random() * 256;
      failure(changed);
    }
  }
});

/** AsString of a placeholder of this type of TensorFlow. */
function asString(type: number, ...attributes: Field[]): Uint8Array {
  const x = node(
    'x',
    'Placeholder',
    [],
    [
      attribute('dtype', { number: 6, varint: type }),
      attribute('shape', { number: 7, message: [{ number: 2, message: [{ number: 1, varint: -1 }] }] }),
    ],
  );
  return encode([x, node('a', 'AsString', ['x'], attributes)]);
}

async function texts(graph: Uint8Array, x: ort.Tensor): Promise<unknown[]> {
  const session = await ort.InferenceSession.create(convertGraph(graph, NOTHING), { intraOpNumThreads: 1 });
  const { a } = await session.run({ x });
  await session.release();
  return [...(a!.data as unknown as string[])];
}

const shortest = (precision: number) => [
  attribute('shortest', { number: 5, varint: 1 }),
  attribute('precision', { number: 3, varint: precision }),
];

// Expected is C's %.8g, of which TensorFlow makes them.
test('numbers are written as text where ONNX Runtime writes the same', async () => {
  const values = [0, -0, 1.5, 1 / 3, 1e-5, 1e8, -123456789, 1e30, Number.NaN, Infinity, -Infinity];
  expect(await texts(asString(1, ...shortest(8)), new ort.Tensor('float32', values, [11]))).toEqual([
    '0',
    '-0',
    '1.5',
    '0.33333334',
    '9.9999997e-06',
    '1e+08',
    '-1.2345679e+08',
    '1e+30',
    'nan',
    'inf',
    '-inf',
  ]);
  const doubles = new ort.Tensor('float64', [0.1, 1e17, -Infinity, 1 / 3, Math.PI * 1e10], [5]);
  expect(await texts(asString(2, ...shortest(8)), doubles)).toEqual([
    '0.1',
    '1e+17',
    '-inf',
    '0.33333333',
    '3.1415927e+10',
  ]);
  expect(await texts(asString(10), new ort.Tensor('bool', [true, false], [2]))).toEqual(['true', 'false']);
  expect(await texts(asString(4), new ort.Tensor('uint8', [0, 65, 255], [3]))).toEqual(['0', '65', '255']);
});

test('a form of text that ONNX Runtime does not write is refused with its attributes', () => {
  const refused = (why: string) =>
    `Unsupported: the TensorFlow graph has a node that cannot be translated to ONNX: AsString 'a' (${why})`;
  const only = 'numbers can be written with shortest true, scientific false and precision 8 alone: it has';
  expect(failure(asString(1))).toBe(refused(`${only} shortest false, scientific false and precision -1`));
  expect(failure(asString(1, ...shortest(3)))).toBe(refused(`${only} shortest true, scientific false and precision 3`));
  const width = attribute('width', { number: 3, varint: 5 });
  expect(failure(asString(3, width))).toBe(refused("has width 5 and fill '': ONNX cannot pad texts"));
});
