import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readOnnxSignature, readSignature } from '../../src/backends/onnx-file.js';
import { WireFile } from '../../src/backends/onnx-wire.js';
import type { ModelSignature } from '../../src/types/model.js';
import {
  type Dim,
  encode,
  external,
  type GraphParts,
  graphFields,
  model,
  node,
  onnx,
  otherValue,
  raw,
  tensor,
  tensorValue,
} from './onnx-builder.js';

let folder = '';
let count = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'conch-onnx-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

function write(bytes: Uint8Array): string {
  const path = join(folder, `${count++}.onnx`);
  writeFileSync(path, bytes);
  return path;
}

function read(graph: GraphParts, irVersion = 8): Promise<ModelSignature> {
  return readOnnxSignature(write(model(graph, irVersion)));
}

const floats = (name: string, dims: readonly Dim[] | null) => tensorValue(name, onnx.FLOAT, dims);
const weight = (name: string) => tensor(name, onnx.FLOAT, [1], raw(new Float32Array([5])));

const addition: GraphParts = {
  inputs: [floats('A', ['batch', 4]), floats('W', [1])],
  outputs: [floats('Y', ['batch', 4])],
  initializers: [weight('W')],
  nodes: [node('Add', ['A', 'W'], ['Y'])],
};

describe('the signature of an ONNX file', () => {
  it('has inputs, outputs and the initialisers that are graph inputs too', async () => {
    expect(await read(addition)).toEqual({
      inputs: [{ name: 'A', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'Y', datatype: 'FP32', shape: [-1, 4] }],
      overridable: [{ name: 'W', datatype: 'FP32', shape: [1] }],
    });
  });

  it('requires no more inputs than ONNX Runtime does of a file of IR version 3, which lists every initialiser as an input', async () => {
    const bytes = model(addition, 3);
    const session = await ort.InferenceSession.create(bytes);
    const signature = await readOnnxSignature(write(bytes));
    expect(signature.inputs.map(({ name }) => name)).toEqual(session.inputNames);
    expect(signature.overridable.map(({ name }) => name)).toEqual(['W']);
  });

  it('does not list an initialiser that is no graph input', async () => {
    const signature = await read({ ...addition, inputs: [floats('A', ['batch', 4])] });
    expect(signature.overridable).toEqual([]);
  });

  it('counts a sparse initialiser as a value', async () => {
    const sparse = [{ number: 1, message: weight('S') }];
    const signature = await read({ ...addition, inputs: [floats('A', [1]), floats('S', [1])], sparse: [sparse] });
    expect(signature.inputs.map(({ name }) => name)).toEqual(['A']);
    expect(signature.overridable.map(({ name }) => name)).toEqual(['S']);
  });

  it('shows symbolic, negative and missing dimensions as -1, and 0 as 0', async () => {
    const { inputs } = await read({ ...addition, inputs: [floats('A', ['n', -1, null, 0, 7])] });
    expect(inputs[0]?.shape).toEqual([-1, -1, -1, 0, 7]);
  });

  it('tells rank 0 from no shape at all', async () => {
    const { inputs } = await read({ ...addition, inputs: [floats('A', [])] });
    expect(inputs[0]?.shape).toEqual([]);
    await expect(read({ ...addition, inputs: [floats('A', null)] })).rejects.toThrow(
      "the ONNX file does not say the shape of I/O 'A'; run onnx.shape_inference on it and save it again",
    );
  });

  it.each([
    [onnx.FLOAT, 'FP32'],
    [onnx.UINT8, 'UINT8'],
    [onnx.INT8, 'INT8'],
    [onnx.UINT16, 'UINT16'],
    [onnx.INT16, 'INT16'],
    [onnx.INT32, 'INT32'],
    [onnx.INT64, 'INT64'],
    [onnx.STRING, 'BYTES'],
    [onnx.BOOL, 'BOOL'],
    [onnx.FLOAT16, 'FP16'],
    [onnx.DOUBLE, 'FP64'],
    [onnx.UINT32, 'UINT32'],
    [onnx.UINT64, 'UINT64'],
    [onnx.BFLOAT16, 'BF16'],
  ])('calls ONNX element type %i %s', async (elementType, datatype) => {
    const { inputs } = await read({ ...addition, inputs: [tensorValue('A', elementType, [1])] });
    expect(inputs[0]?.datatype).toBe(datatype);
  });

  it.each([
    [onnx.COMPLEX64, 'COMPLEX64'],
    [onnx.FLOAT8E4M3FN, 'FLOAT8E4M3FN'],
    [onnx.INT4, 'INT4'],
    [99, '99'],
  ])('refuses ONNX element type %i as %s', async (elementType, name) => {
    await expect(read({ ...addition, outputs: [tensorValue('Y', elementType, [1])] })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: `I/O 'Y' has ONNX element type ${name}, which no datatype of the protocol can carry; cast it inside the model`,
    });
  });

  it.each([
    [4, 'ONNX_TYPE_SEQUENCE'],
    [5, 'ONNX_TYPE_MAP'],
    [8, 'ONNX_TYPE_SPARSETENSOR'],
    [9, 'ONNX_TYPE_OPTIONAL'],
  ])('refuses a value of kind %i with the text of Triton', async (kind, name) => {
    await expect(read({ ...addition, outputs: [otherValue('x', kind)] })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: `Unsupported ONNX Type '${name}' for I/O 'x', expected 'ONNX_TYPE_TENSOR'.`,
    });
  });

  it('agrees with ONNX Runtime about names, types and shapes', async () => {
    const bytes = model({
      inputs: [floats('A', ['n', 3]), tensorValue('B', onnx.INT64, [2])],
      outputs: [floats('X', ['n', 3]), tensorValue('Y', onnx.INT64, [2])],
      nodes: [node('Identity', ['A'], ['X']), node('Identity', ['B'], ['Y'])],
    });
    const session = await ort.InferenceSession.create(bytes);
    const signature = await readOnnxSignature(write(bytes));
    const shown = [...session.inputMetadata, ...session.outputMetadata].map((value) =>
      value.isTensor ? [value.name, value.type, value.shape.map((dim) => (typeof dim === 'string' ? -1 : dim))] : [],
    );
    const names = { FP32: 'float32', INT64: 'int64' } as Record<string, string>;
    const read = [...signature.inputs, ...signature.outputs].map((t) => [t.name, names[t.datatype], t.shape]);
    expect(read).toEqual(shown);
  });
});

describe('a file that is no ONNX model', () => {
  it('is refused with the text of ONNX Runtime', async () => {
    const path = write(Buffer.from('this is no model'));
    await expect(readOnnxSignature(path)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: `onnx runtime error 7: Load model from ${path} failed:Protobuf parsing failed.`,
    });
    await expect(ort.InferenceSession.create(path)).rejects.toThrow(`Load model from ${path} failed:Protobuf parsing`);
  });

  it('is refused where it is empty or has no graph', async () => {
    for (const bytes of [new Uint8Array(0), encode([{ number: 1, varint: 8 }])]) {
      const path = write(bytes);
      await expect(readOnnxSignature(path)).rejects.toMatchObject({
        code: 'INTERNAL',
        message: `onnx runtime error 7: Load model from ${path} failed:ModelProto does not have a graph.`,
      });
    }
  });

  it('is refused where it is a folder or is not there, with its path', async () => {
    const missing = join(folder, 'missing.onnx');
    await expect(readOnnxSignature(folder)).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(readOnnxSignature(missing)).rejects.toThrow(`failed to read model file ${missing}: ENOENT`);
  });

  it('is refused by name, never with another error, wherever it was cut or changed', async () => {
    const whole = model(addition);
    const damage = fc.record({ length: fc.nat(whole.length), at: fc.nat(whole.length - 1), byte: fc.nat(255) });
    const path = join(folder, 'damaged.onnx');
    await fc.assert(
      fc.asyncProperty(damage, async ({ length, at, byte }) => {
        const bytes = whole.slice(0, length);
        if (at < length) bytes[at] = byte;
        writeFileSync(path, bytes);
        await readOnnxSignature(path).catch((error) => expect(error.name).toBe('ServerError'));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the reader that skips', () => {
  it('reads a model of gigabytes without its weights', async () => {
    const weights = 1024 ** 3;
    const path = write(new Uint8Array(0));
    const small = encode(graphFields({ inputs: addition.inputs, outputs: addition.outputs }));
    const head = encode(tensor('W', onnx.FLOAT, [weights / 4], []));
    await writeSparseModel(path, head, weights, small);
    const before = process.memoryUsage().arrayBuffers;
    const signature = await readOnnxSignature(path);
    expect(signature.overridable.map(({ name }) => name)).toEqual(['W']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  it('reads the same through windows of any size', () => {
    const path = join(folder, 'windows.onnx');
    void fc.assert(
      fc.property(graphs, fc.integer({ min: 1, max: 200 }), (graph, windowBytes) => {
        writeFileSync(path, model(graph));
        expect(through(path, windowBytes)).toEqual(through(path, 1024 * 1024));
        expect(through(path, windowBytes)).toEqual(twin(graph));
      }),
      { numRuns: 150 },
    );
  });
});

/** `head` is a TensorProto whose raw_data of `weights` bytes is a hole in the file. */
async function writeSparseModel(path: string, head: Uint8Array, weights: number, graph: Uint8Array): Promise<void> {
  const raws = lengthHead(9, weights);
  const initializer = lengthHead(5, head.length + raws.length + weights);
  const content = initializer.length + head.length + raws.length + weights + graph.length;
  const before = Buffer.concat([lengthHead(7, content), initializer, head, raws]);
  const { open } = await import('node:fs/promises');
  const file = await open(path, 'w');
  await file.write(before, 0, before.length, 0);
  await file.write(graph, 0, graph.length, before.length + weights);
  await file.close();
}

/** Tag and length of a length-delimited field. */
function lengthHead(number: number, length: number): Uint8Array {
  return encode([{ number, varint: length }]).map((byte, i) => (i === 0 ? byte + 2 : byte));
}

function through(path: string, windowBytes: number): ModelSignature {
  const file = new WireFile(path, windowBytes);
  try {
    return readSignature(file);
  } finally {
    file.close();
  }
}

interface RandomGraph extends GraphParts {
  readonly values: readonly { name: string; dims: readonly Dim[]; side: string }[];
}

const dims = fc.array(fc.oneof(fc.nat(300), fc.constantFrom('n', 'a rather long symbol', null)), { maxLength: 4 });
const value = fc.record({
  name: fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }),
  dims,
  side: fc.constantFrom('input', 'output', 'weight', 'both'),
  weights: fc.uint8Array({ maxLength: 500 }),
  isExternal: fc.boolean(),
});

/** Graphs that no runtime would take, with every kind of field to skip. */
const graphs: fc.Arbitrary<RandomGraph> = fc
  .uniqueArray(value, { selector: ({ name }) => name, maxLength: 12 })
  .map((values) => {
    const of = (...sides: string[]) => values.filter(({ side }) => sides.includes(side));
    return {
      values,
      inputs: of('input', 'both').map(({ name, dims }) => floats(name, dims)),
      outputs: of('output').map(({ name, dims }) => floats(name, dims)),
      initializers: of('weight', 'both').map(({ name, weights, isExternal }) =>
        tensor(name, onnx.FLOAT, [weights.length], isExternal ? external('w.bin', 4) : raw(weights)),
      ),
      nodes: values.map(({ name }) => [
        ...node('Identity', [name], [name]),
        { number: 101, fixed32: 7 },
        { number: 102, fixed64: 1.5 },
      ]),
    };
  });

function twin({ values }: RandomGraph): ModelSignature {
  const of = (wanted: string) =>
    values
      .filter(({ side }) => side === wanted)
      .map(({ name, dims }) => ({
        name,
        datatype: 'FP32' as const,
        shape: dims.map((dim) => (typeof dim === 'number' ? dim : -1)),
      }));
  return { inputs: of('input'), outputs: of('output'), overridable: of('both') };
}
