import assert from 'node:assert/strict';
import { ModelTensors } from '../../../src/core/model-tensors.js';
import type { ServedModel } from '../../../src/core/served-model.js';
import { HeadCache } from '../../../src/protocols/head-cache.js';
import { HeadTemplate } from '../../../src/protocols/head-template.js';
import { jsonTensorBytes, readJsonTensor } from '../../../src/protocols/json-tensor.js';
import { parseInferHead } from '../../../src/protocols/v2-json.js';
import { inferResponseHead, type ReplyTensor } from '../../../src/protocols/v2-json-reply.js';
import { type DataType, elementBytes } from '../../../src/types/datatype.js';
import type { InferHead } from '../../../src/types/infer.js';
import { simpleConfig } from '../fixtures/simple-config.js';
import type { Part, Running } from '../part.js';

const target = new Uint8Array(new SharedArrayBuffer(8 * 1024 * 1024));

const numbers = Array.from({ length: 16 }, (_, index) => (index * 37) % 200);
const inputs = ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16], data: numbers }));
/** One request of the model `simple`, its tensors in the JSON. */
const simple = Buffer.from(JSON.stringify({ inputs }));

const outputs: ReplyTensor[] = ['OUTPUT0', 'OUTPUT1'].map((name) => {
  const values = new Int32Array(new SharedArrayBuffer(64)).map((_, index) => numbers[index]! * 3 - 100);
  return { name, datatype: 'INT32', shape: [1, 16], bytes: new Uint8Array(values.buffer), binary: false };
});

/** The head of a request with binary tensors that differs from the others in what no template lets differ. */
function binaryHead(priority: number): Buffer {
  const binary = inputs.map(({ name, datatype, shape }) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: 64 },
  }));
  return Buffer.from(JSON.stringify({ parameters: { priority }, inputs: binary }));
}

function readTensors(head: InferHead): number {
  let at = 0;
  for (const { name, datatype, source } of head.inputs) {
    if (source.kind !== 'json') return Number.NaN;
    readJsonTensor(simple, source, name, datatype as DataType, 16, target, at);
    at += 64;
  }
  return at;
}

function simpleHead(): InferHead {
  return parseInferHead(simple, 0, simple.length);
}

function checked(step: (nth: number) => number, first: number): Running {
  assert.equal(step(0), first);
  return { step };
}

function matching(): Running {
  const template = new HeadTemplate(simple, 0, simple.length, simpleHead());
  return checked(
    () => (template.match(simple, 0, simple.length) ? template.ranges[1]!.start : Number.NaN),
    simple.lastIndexOf('['),
  );
}

/** @param heads the requests differ in these by turns; the cache knows them all */
function preparing(heads: readonly Buffer[]): Running {
  const model = { name: 'simple', tensors: new ModelTensors(simpleConfig(), new Map()) } as unknown as ServedModel;
  const cache = new HeadCache(model);
  const step = (nth: number): number => {
    const head = heads[nth % heads.length]!;
    return cache.prepare(head, 0, head.length).binaryBytes.length;
  };
  for (let nth = 0; nth < heads.length; nth++) assert.equal(step(nth), 2);
  return { step };
}

/** What one would write with JSON.parse and JSON.stringify. */
function viaObjects(): number {
  const parsed = JSON.parse(simple.toString('utf8')) as { inputs: { data: number[] }[] };
  const ints = parsed.inputs.map(({ data }) => Int32Array.from(data));
  const texts = ints.map((data, nth) => ({
    name: `OUTPUT${nth}`,
    datatype: 'INT32',
    shape: [1, 16],
    data: Array.from(data),
  }));
  return Buffer.from(JSON.stringify({ model_name: 'simple', model_version: '1', outputs: texts })).length;
}

function reply(tensors: readonly ReplyTensor[]): number {
  return inferResponseHead('', 'simple', '1', tensors).length;
}

const simpleParts: readonly Part[] = [
  {
    name: 'json/head',
    about: 'the head of a request with JSON data is parsed: INT32 [1,16] twice',
    setUp: () => checked(() => simpleHead().inputs.length, 2),
  },
  { name: 'json/head-template', about: 'the same head is known by its template', setUp: matching },
  { name: 'json/head-cache', about: 'the cache finds it', setUp: () => preparing([simple]) },
  {
    name: 'json/head-cache-16',
    about: 'the cache finds one of 16 heads that come by turns',
    setUp: () => preparing(Array.from({ length: 16 }, (_, nth) => binaryHead(nth))),
  },
  {
    name: 'json/tensors',
    about: 'its two tensors are read',
    setUp: () => {
      const head = simpleHead();
      return checked(() => readTensors(head), 128);
    },
  },
  {
    name: 'json/reply',
    about: 'an answer of the same size is written',
    setUp: () => checked(() => reply(outputs), reply(outputs)),
  },
  {
    name: 'json/all',
    about: 'head, tensors and answer',
    setUp: () => checked(() => readTensors(simpleHead()) + reply(outputs), 128 + reply(outputs)),
  },
  {
    name: 'json/all-objects',
    about: 'JSON.parse, copies, JSON.stringify',
    setUp: () => checked(viaObjects, viaObjects()),
  },
];

/** A longer tensor read and written, beside JSON.parse and JSON.stringify. */
function tensorParts(label: string, datatype: DataType, values: readonly unknown[]): Part[] {
  const body = Buffer.from(JSON.stringify(values));
  const range = { start: 0, end: body.length };
  const read = (): number => {
    const bytes = datatype === 'BYTES' ? jsonTensorBytes(body, range, 'x') : values.length * elementBytes[datatype];
    readJsonTensor(body, range, 'x', datatype, values.length, target, 0);
    return bytes;
  };
  const writing = (): Running => {
    const output = { name: 'y', datatype, shape: [values.length], bytes: target.slice(0, read()), binary: false };
    const text = inferResponseHead('', 'm', '1', [output]).toString();
    assert.equal(JSON.parse(text).outputs[0].data.length, values.length);
    return { step: () => inferResponseHead('', 'm', '1', [output]).length };
  };
  const of = `${values.length} of ${datatype}`;
  return [
    { name: `json/${label}-read`, about: `${of} are read`, setUp: () => checked(read, read()) },
    {
      name: `json/${label}-parse`,
      about: 'JSON.parse of the same text',
      setUp: () => checked(() => JSON.parse(body.toString('utf8')).length, values.length),
    },
    { name: `json/${label}-write`, about: `${of} are written`, setUp: writing },
    {
      name: `json/${label}-stringify`,
      about: 'JSON.stringify of the same values',
      setUp: () => checked(() => Buffer.from(JSON.stringify(values)).length, body.length),
    },
  ];
}

const many = Array.from({ length: 4096 }, (_, index) => index);

export const parts: readonly Part[] = [
  ...simpleParts,
  ...tensorParts(
    'int32',
    'INT32',
    many.map((index) => index * 12345),
  ),
  ...tensorParts(
    'uint8',
    'UINT8',
    many.map((index) => index % 256),
  ),
  ...tensorParts(
    'int64',
    'INT64',
    many.map((index) => index * 123456789),
  ),
  ...tensorParts(
    'fp32',
    'FP32',
    many.map((index) => Math.fround(Math.sin(index))),
  ),
  ...tensorParts(
    'fp32-eighths',
    'FP32',
    many.map((index) => index / 8),
  ),
  ...tensorParts(
    'fp64',
    'FP64',
    many.map((index) => Math.sin(index)),
  ),
  ...tensorParts(
    'bytes',
    'BYTES',
    many.map((index) => `text ${index}`),
  ),
];
