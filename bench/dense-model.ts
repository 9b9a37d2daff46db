// Writes the model `dense` (256 -> 1024 -> 1024 -> 10, Relu between) that the batching benchmarks load.
// Its five megabytes of weights are made here, so that they need not be kept in the repository.
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import protobuf from 'protobufjs';

const SIZES = [256, 1024, 1024, 10];
const FLOAT = 1;
const IR_VERSION = 8;
const OPSET = 17;

const configOf = (name: string, sizes: readonly number[]) => `name: "${name}"
platform: "onnxruntime_onnx"
max_batch_size: 64
input [ { name: "INPUT" data_type: TYPE_FP32 dims: [ ${sizes[0]} ] } ]
output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ ${sizes.at(-1)} ] } ]
dynamic_batching { }
instance_group [ { count: 1 kind: KIND_CPU } ]
parameters { key: "intra_op_thread_count" value: { string_value: "1" } }
`;

type Fill = (writer: protobuf.Writer) => void;

function tag(writer: protobuf.Writer, field: number, wireType: 0 | 2): protobuf.Writer {
  return writer.uint32(field * 8 + wireType);
}

function message(writer: protobuf.Writer, field: number, fill: Fill): void {
  tag(writer, field, 2).fork();
  fill(writer);
  writer.ldelim();
}

function text(writer: protobuf.Writer, field: number, value: string): void {
  tag(writer, field, 2).string(value);
}

function int(writer: protobuf.Writer, field: number, value: number): void {
  tag(writer, field, 0).int64(value);
}

/** xorshift32, uniform in [-1, 1): the same weights on every machine. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  };
}

/** `count` little-endian FP32 numbers, uniform in [-scale, scale). */
function weights(next: () => number, count: number, scale: number): Uint8Array {
  const bytes = new Uint8Array(count * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i += 1) view.setFloat32(i * 4, next() * scale, true);
  return bytes;
}

function tensor(writer: protobuf.Writer, name: string, dims: number[], raw: Uint8Array): void {
  // GraphProto.initializer
  message(writer, 5, (t) => {
    for (const dim of dims) int(t, 1, dim);
    int(t, 2, FLOAT);
    text(t, 8, name);
    tag(t, 9, 2).bytes(raw);
  });
}

function node(writer: protobuf.Writer, type: string, inputs: string[], output: string): void {
  // GraphProto.node
  message(writer, 1, (n) => {
    for (const input of inputs) text(n, 1, input);
    text(n, 2, output);
    text(n, 3, `${type.toLowerCase()}_${output}`);
    text(n, 4, type);
  });
}

function batched(writer: protobuf.Writer, field: number, name: string, size: number): void {
  // ValueInfoProto { name, type { tensor_type { elem_type, shape { dim { dim_param } dim { dim_value } } } } }
  message(writer, field, (value) => {
    text(value, 1, name);
    message(value, 2, (type) =>
      message(type, 1, (tensorType) => {
        int(tensorType, 1, FLOAT);
        message(tensorType, 2, (shape) => {
          message(shape, 1, (dim) => text(dim, 2, 'batch'));
          message(shape, 1, (dim) => int(dim, 1, size));
        });
      }),
    );
  });
}

function denseModel(sizes: readonly number[]): Uint8Array {
  const next = generator(0x5eed);
  const writer = protobuf.Writer.create();
  int(writer, 1, IR_VERSION);
  text(writer, 2, 'dense-model');
  // ModelProto.graph
  message(writer, 7, (graph) => {
    const last = sizes.length - 1;
    let from = 'INPUT';
    for (let layer = 1; layer <= last; layer += 1) {
      const [rows, columns] = [sizes[layer - 1]!, sizes[layer]!];
      const to = layer === last ? 'OUTPUT' : `sum${layer}`;
      node(graph, 'Gemm', [from, `weight${layer}`, `bias${layer}`], to);
      if (layer < last) {
        from = `hidden${layer}`;
        node(graph, 'Relu', [to], from);
      }
      tensor(graph, `weight${layer}`, [rows, columns], weights(next, rows * columns, Math.sqrt(6 / rows)));
      tensor(graph, `bias${layer}`, [columns], weights(next, columns, 0.1));
    }
    text(graph, 2, 'dense');
    batched(graph, 11, 'INPUT', sizes[0]!);
    batched(graph, 12, 'OUTPUT', sizes[last]!);
  });
  // ModelProto.opset_import
  message(writer, 8, (opset) => {
    text(opset, 1, '');
    int(opset, 2, OPSET);
  });
  return writer.finish();
}

/**
 * Writes `config.pbtxt` and `1/model.onnx` into `modelDir`, the model's own folder. Returns the path of the model file.
 * @param sizes of its layers, inputs first
 */
export async function writeDenseModel(modelDir: string, sizes: readonly number[] = SIZES): Promise<string> {
  const file = join(modelDir, '1', 'model.onnx');
  await mkdir(join(modelDir, '1'), { recursive: true });
  await writeFile(join(modelDir, 'config.pbtxt'), configOf(basename(modelDir), sizes));
  await writeFile(file, denseModel(sizes));
  return file;
}
