import { fileURLToPath } from 'node:url';
import { HeadTemplate } from '../src/protocols/head-template.js';
import { jsonTensorBytes, readJsonTensor } from '../src/protocols/json-tensor.js';
import { parseInferHead } from '../src/protocols/v2-json.js';
import { inferResponseHead, type ReplyTensor } from '../src/protocols/v2-json-reply.js';
import { type DataType, elementBytes } from '../src/types/datatype.js';
import type { InferHead } from '../src/types/infer.js';

/**
 * Nanoseconds of the JSON codec for one request of the model `simple` (two INT32 [1,16] in, two out), beside JSON.parse and
 * JSON.stringify doing the same; and of longer tensors. One line per step: `node dist/bench/json.bench.js`.
 */
const ROUND = 20_000;
const ROUNDS = 15;

function nanoseconds(step: () => void, calls = ROUND): number {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begin = process.hrtime.bigint();
    for (let call = 0; call < calls; call++) step();
    times.push(Number(process.hrtime.bigint() - begin) / calls);
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

const target = new Uint8Array(new SharedArrayBuffer(8 * 1024 * 1024));

function input(name: string, datatype: DataType, values: readonly unknown[]): object {
  return { name, datatype, shape: [1, values.length], data: values };
}

const numbers = Array.from({ length: 16 }, (_, index) => (index * 37) % 200);
const simple = Buffer.from(
  JSON.stringify({ inputs: [input('INPUT0', 'INT32', numbers), input('INPUT1', 'INT32', numbers)] }),
);

function readAll(body: Buffer, head: InferHead): void {
  let at = 0;
  for (const { name, datatype, shape, source } of head.inputs) {
    if (source.kind !== 'json') continue;
    const count = shape.reduce((product, dim) => product * dim, 1);
    readJsonTensor(body, source, name, datatype as DataType, count, target, at);
    at += count * 8;
  }
}

const outputs: ReplyTensor[] = ['OUTPUT0', 'OUTPUT1'].map((name) => {
  const values = new Int32Array(new SharedArrayBuffer(64)).map((_, index) => numbers[index]! * 3 - 100);
  return { name, datatype: 'INT32', shape: [1, 16], bytes: new Uint8Array(values.buffer), binary: false };
});

function viaObjects(): void {
  const parsed = JSON.parse(simple.toString('utf8')) as { inputs: { data: number[] }[] };
  const ints = parsed.inputs.map(({ data }) => Int32Array.from(data));
  const texts = ints.map((data, nth) => ({
    name: `OUTPUT${nth}`,
    datatype: 'INT32',
    shape: [1, 16],
    data: Array.from(data),
  }));
  Buffer.from(JSON.stringify({ model_name: 'simple', model_version: '1', outputs: texts }));
}

function report(name: string, time: number): void {
  console.log(`${name.padEnd(44)} ${time.toFixed(0).padStart(10)} ns`);
}

function benchSimple(): void {
  const head = parseInferHead(simple, 0, simple.length);
  report(
    'simple: head',
    nanoseconds(() => void parseInferHead(simple, 0, simple.length)),
  );
  const template = new HeadTemplate(simple, 0, simple.length, head);
  report(
    'simple: head by its template',
    nanoseconds(() => void template.match(simple, 0, simple.length)),
  );
  report(
    'simple: tensors',
    nanoseconds(() => readAll(simple, head)),
  );
  report(
    'simple: reply',
    nanoseconds(() => void inferResponseHead('', 'simple', '1', outputs)),
  );
  const all = (): void => {
    readAll(simple, parseInferHead(simple, 0, simple.length));
    inferResponseHead('', 'simple', '1', outputs);
  };
  report('simple: all three', nanoseconds(all));
  report('simple: JSON.parse, copies, JSON.stringify', nanoseconds(viaObjects));
}

function benchTensor(datatype: DataType, values: readonly unknown[]): void {
  const body = Buffer.from(JSON.stringify(values));
  const range = { start: 0, end: body.length };
  const read = (): void => {
    if (datatype === 'BYTES') jsonTensorBytes(body, range, 'x');
    readJsonTensor(body, range, 'x', datatype, values.length, target, 0);
  };
  read();
  report(`${datatype} x ${values.length}: read`, nanoseconds(read, 40));
  report(
    `${datatype} x ${values.length}: JSON.parse`,
    nanoseconds(() => void JSON.parse(body.toString('utf8')), 40),
  );
  const bytes = target.slice(
    0,
    datatype === 'BYTES' ? jsonTensorBytes(body, range, 'x') : values.length * elementBytes[datatype],
  );
  const output: ReplyTensor = { name: 'y', datatype, shape: [values.length], bytes, binary: false };
  report(
    `${datatype} x ${values.length}: write`,
    nanoseconds(() => void inferResponseHead('', 'm', '1', [output]), 40),
  );
  report(
    `${datatype} x ${values.length}: JSON.stringify`,
    nanoseconds(() => void Buffer.from(JSON.stringify(values)), 40),
  );
}

function main(): void {
  benchSimple();
  const many = Array.from({ length: 4096 }, (_, index) => index);
  benchTensor(
    'INT32',
    many.map((index) => index * 12345),
  );
  benchTensor(
    'UINT8',
    many.map((index) => index % 256),
  );
  benchTensor(
    'INT64',
    many.map((index) => index * 123456789),
  );
  benchTensor(
    'FP32',
    many.map((index) => Math.fround(Math.sin(index))),
  );
  benchTensor(
    'FP32',
    many.map((index) => index / 8),
  );
  benchTensor(
    'FP64',
    many.map((index) => Math.sin(index)),
  );
  benchTensor(
    'BYTES',
    many.map((index) => `text ${index}`),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
