import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { openInitializers } from '../../src/backends/onnx-open.js';
import {
  encode,
  external,
  type Field,
  type GraphParts,
  model,
  node,
  onnx,
  raw,
  tensor,
  tensorValue,
} from './onnx-builder.js';

const addition: GraphParts = {
  inputs: [tensorValue('A', onnx.FLOAT, [2]), tensorValue('W', onnx.FLOAT, [2]), tensorValue('V', onnx.FLOAT, [2])],
  outputs: [tensorValue('Y', onnx.FLOAT, [2])],
  initializers: [
    tensor('W', onnx.FLOAT, [2], raw(new Float32Array([10, 20]))),
    tensor('V', onnx.FLOAT, [2], raw(new Float32Array([100, 200]))),
  ],
  nodes: [node('Add', ['A', 'W'], ['AW']), node('Add', ['AW', 'V'], ['Y'])],
};

const feed = (...values: number[]) => new ort.Tensor('float32', values, [values.length]);

async function run(bytes: Uint8Array, feeds: Record<string, ort.Tensor>): Promise<number[]> {
  const session = await ort.InferenceSession.create(bytes);
  return [...((await session.run(feeds)).Y!.data as Float32Array)];
}

function open(graph: GraphParts, ...names: string[]) {
  return openInitializers(model(graph), new Set(names));
}

/** The default of an initialiser `W` that carries its elements in these fields. */
function opened(elementType: number, dims: readonly number[], value: readonly Field[]) {
  const { defaults } = open({ inputs: [], outputs: [], initializers: [tensor('W', elementType, dims, value)] }, 'W');
  return defaults[0]!;
}

describe('a model with opened initialisers', () => {
  it('takes a feed that ONNX Runtime ignored without a word before', async () => {
    expect(await run(model(addition), { A: feed(1, 2), W: feed(0, 0) })).toEqual([111, 222]);
    const { model: rewritten } = open(addition, 'W');
    expect(await run(rewritten, { A: feed(1, 2), W: feed(0, 0) })).toEqual([101, 202]);
  });

  it.each([3, 8])('has the named ones as inputs, in IR version %i, and keeps the others', async (irVersion) => {
    const { model: rewritten } = openInitializers(model(addition, irVersion), new Set(['W']));
    const session = await ort.InferenceSession.create(rewritten);
    expect(session.inputNames).toEqual(['A', 'W']);
  });

  it('gives what it gave, fed with the defaults', async () => {
    const { model: rewritten, defaults } = open(addition, 'W', 'V');
    const feeds: Record<string, ort.Tensor> = { A: feed(1, 2) };
    for (const { name, bytes } of defaults) feeds[name] = feed(...new Float32Array(bytes.slice().buffer));
    expect(await run(rewritten, feeds)).toEqual([111, 222]);
  });

  it('is the same to the byte where nothing is opened', () => {
    expect(open(addition).model).toEqual(model(addition));
  });

  it('keeps fields that nobody knows', () => {
    const field = { number: 500, text: 'mine' };
    const bytes = Uint8Array.from([...model(addition), ...encode([field, { number: 501, fixed32: 1 }])]);
    expect(openInitializers(bytes, new Set()).model).toEqual(bytes);
  });

  it('is refused by the name of the input where no dense initialiser has it', () => {
    const sparse = [[{ number: 1, message: tensor('S', onnx.FLOAT, [2], []) }]];
    expect(() => open({ ...addition, sparse }, 'S')).toThrow(
      "input 'S' cannot be opened: the ONNX file has no dense initializer of this name",
    );
  });
});

describe('a default value', () => {
  const packed = (number: number, ...values: number[]): Field[] => {
    const bytes = values.flatMap((varint) => [...encode([{ number: 1, varint }]).subarray(1)]);
    return [{ number, bytes: Uint8Array.from(bytes) }];
  };
  const single = (number: number, ...values: number[]): Field[] => values.map((varint) => ({ number, varint }));

  it('comes from raw_data as it is', () => {
    expect(opened(onnx.FLOAT, [1, 2], raw(new Float32Array([1.5, -2])))).toEqual({
      name: 'W',
      datatype: 'FP32',
      shape: [1, 2],
      bytes: new Uint8Array(new Float32Array([1.5, -2]).buffer),
    });
  });

  it('comes from float_data and double_data', () => {
    const floats = new Float32Array([1.5, -2]);
    const doubles = new Float64Array([0.1]);
    expect(opened(onnx.FLOAT, [2], [{ number: 4, bytes: new Uint8Array(floats.buffer) }]).bytes).toEqual(
      new Uint8Array(floats.buffer),
    );
    expect(opened(onnx.DOUBLE, [1], [{ number: 10, fixed64: 0.1 }]).bytes).toEqual(new Uint8Array(doubles.buffer));
  });

  it.each([
    [onnx.INT32, 5, new Int32Array([-1, 2_000_000_000])],
    [onnx.INT16, 5, new Int16Array([-1, 300])],
    [onnx.INT8, 5, new Int8Array([-128, 127])],
    [onnx.UINT16, 5, new Uint16Array([65535, 1])],
    [onnx.UINT8, 5, new Uint8Array([255, 0])],
    [onnx.BOOL, 5, new Uint8Array([1, 0])],
    [onnx.FLOAT16, 5, new Uint16Array([0x3c00, 0xc000])],
    [onnx.BFLOAT16, 5, new Uint16Array([0x3f80, 0x4000])],
    [onnx.UINT32, 11, new Uint32Array([4_294_967_295, 1])],
  ])('of element type %i comes from field %i, packed or not', (elementType, field, elements) => {
    const bytes = new Uint8Array(elements.buffer);
    expect(opened(elementType, [2], packed(field, ...elements)).bytes).toEqual(bytes);
    expect(opened(elementType, [2], single(field, ...elements)).bytes).toEqual(bytes);
    const [first, second] = [...elements] as [number, number];
    expect(opened(elementType, [2], [...packed(field, first), ...single(field, second)]).bytes).toEqual(bytes);
  });

  it('of 64 bits keeps them all', () => {
    const minimum = Uint8Array.from([128, 128, 128, 128, 128, 128, 128, 128, 128, 1]);
    const maximum = Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    expect(opened(onnx.INT64, [1], [{ number: 7, bytes: minimum }]).bytes).toEqual(
      new Uint8Array(new BigInt64Array([-(2n ** 63n)]).buffer),
    );
    expect(opened(onnx.UINT64, [1], [{ number: 11, bytes: maximum }]).bytes).toEqual(
      new Uint8Array(new BigUint64Array([2n ** 64n - 1n]).buffer),
    );
  });

  it('may be a scalar or have no elements', () => {
    expect(opened(onnx.INT64, [], single(7, 9))).toMatchObject({ shape: [], bytes: { length: 8 } });
    expect(opened(onnx.FLOAT, [0], [])).toMatchObject({ shape: [0], bytes: { length: 0 } });
    expect(opened(onnx.FLOAT, [], raw(new Float32Array([1]))).shape).toEqual([]);
  });

  it('reads its dimensions packed, too', () => {
    const dims = { number: 1, bytes: Uint8Array.from([2, 1]) };
    const none = { number: 1, bytes: new Uint8Array(0) };
    expect(opened(onnx.UINT8, [], [dims, ...raw(new Uint8Array([1, 2]))]).shape).toEqual([2, 1]);
    expect(opened(onnx.UINT8, [], [none, ...raw(new Uint8Array([1]))]).shape).toEqual([]);
  });

  it.each([
    ['is in another file', onnx.FLOAT, external('w.bin', 4)],
    ['is of strings', onnx.STRING, [{ number: 6, text: 'a' }]],
    ['has ONNX element type COMPLEX64', onnx.COMPLEX64, raw(new Float32Array([1, 2]))],
    ['has 2 elements of the 1 of its shape [1]', onnx.FLOAT, raw(new Float32Array([1, 2]))],
    ['has 0.5 elements', onnx.FLOAT, raw(new Uint8Array(2))],
    ['has 0 elements', onnx.FLOAT, []],
  ])('is refused by name where it %s', (why, elementType, value) => {
    expect(() => opened(elementType, [1], value)).toThrow(`input 'W' cannot be opened: its default value ${why}`);
  });
});
