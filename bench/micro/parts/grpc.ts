import assert from 'node:assert/strict';
import { systemClock } from '../../../src/base/clock.js';
import { createLog } from '../../../src/base/log.js';
import type { InferResponse, Responder } from '../../../src/core/infer-response.js';
import { Model } from '../../../src/core/model.js';
import { ModelTensors } from '../../../src/core/model-tensors.js';
import { ClientRegions } from '../../../src/core/regions/client-regions.js';
import type { InferenceServer } from '../../../src/core/server.js';
import { Arena } from '../../../src/memory/arena.js';
import { IdBytes } from '../../../src/protocols/grpc/id-bytes.js';
import { InferReader } from '../../../src/protocols/grpc/infer-reader.js';
import { protoRoot } from '../../../src/protocols/grpc/proto.js';
import { ReplyTemplate } from '../../../src/protocols/grpc/reply-template.js';
import { ModelStatistics } from '../../../src/telemetry/statistics.js';
import { simpleConfig } from '../fixtures/simple-config.js';
import type { Part, Running } from '../part.js';

const requestType = protoRoot().lookupType('inference.ModelInferRequest');
const responseType = protoRoot().lookupType('inference.ModelInferResponse');
const values = Array.from({ length: 16 }, (_, index) => index * 1000);
const raw = Buffer.from(Int32Array.from(values).buffer);
const inputs = ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16] }));
const outputs = ['OUTPUT0', 'OUTPUT1'].map((name) => ({
  name,
  datatype: 'INT32' as const,
  shape: [1, 16],
  bytes: raw,
}));
const nobody: Responder = { onResponse: () => {}, onError: () => {} };

function requestBytes(more: object): Buffer {
  return Buffer.from(requestType.encode(requestType.fromObject({ model_name: 'simple', inputs, ...more })).finish());
}

const plain = requestBytes({ raw_input_contents: [raw, raw] });
const withIds = Array.from({ length: 1000 }, (_, nth) =>
  requestBytes({ id: `id ${nth}`, raw_input_contents: [raw, raw] }),
);
const typedInputs = inputs.map((input) => ({ ...input, contents: { int_contents: values } }));
const typed = requestBytes({ inputs: typedInputs });

function simpleModel(): Model {
  const config = simpleConfig();
  const model: Model = new Model(
    {
      name: 'simple',
      version: 1,
      config,
      tensors: new ModelTensors(config, new Map()),
      states: [],
      specs: [],
      warmup: [],
      statistics: new ModelStatistics(),
    },
    {
      arena: new Arena(1 << 24),
      clock: systemClock,
      log: createLog({ verbose: 0, info: false, warning: false, error: true, format: 'default', file: '' }),
      sequenceMaxBacklog: 100,
      responseTimeoutSecs: 60,
      find: () => model,
    },
  );
  return model;
}

/** Everything from the message to tensors in their rows. */
function taking(messageOf: (nth: number) => Buffer): Running {
  const model = simpleModel();
  const reader = new InferReader({
    find: () => model,
    regions: new ClientRegions(false),
  } as unknown as InferenceServer);
  const step = (nth: number): number => {
    const message = messageOf(nth);
    reader.read(message);
    const request = model.admit(reader.plan, reader.sizes, nobody);
    for (let input = 0; input < reader.sizes.length; input++) {
      reader.copyInput(message, input, model.arena.bytes, request.inputBegin(input));
    }
    const element = model.arena.words[(request.inputBegin(1) >> 2) + 15]!;
    request.abandon();
    return element;
  };
  assert.equal(step(0), 15_000);
  return { step };
}

/** @param id '' = none */
function answering(isStream: boolean, id: string): Running {
  /** As much of an answered request as writing looks at. */
  const answered = {
    model: simpleModel(),
    plan: { outputs: [0, 1].map((index) => ({ index, binary: true, classCount: 0 })) },
    outputBegin: (nth: number) => nth * 64,
    outputBytes: () => 64,
    hasFixedOutputs: true,
    isFinal: true,
    parameters: null,
  } as unknown as InferResponse;
  const template = ReplyTemplate.of(answered, outputs, isStream)!;
  const bytes = new IdBytes();
  if (id !== '') bytes.set(Buffer.from(id), 0, id.length);
  const step = (): number => (template.write(answered, bytes) ? template.end - template.begin : 0);
  assert.ok(step() > 128);
  return { step };
}

function decodingByLibrary(): Running {
  const step = (): number => (requestType.decode(plain) as unknown as { inputs: unknown[] }).inputs.length;
  assert.equal(step(), 2);
  return { step };
}

function encodingByLibrary(): Running {
  const response = responseType.fromObject({
    model_name: 'simple',
    model_version: '1',
    outputs,
    raw_output_contents: [raw, raw],
  });
  const step = (): number => responseType.encode(response).finish().length;
  assert.ok(step() > 128);
  return { step };
}

export const parts: readonly Part[] = [
  {
    name: 'grpc/read',
    about: 'a known message: read, rows taken, copied, given back',
    setUp: () => taking(() => plain),
  },
  {
    name: 'grpc/read-ids',
    about: 'the same with another id each time',
    setUp: () => taking((nth) => withIds[nth % 1000]!),
  },
  {
    name: 'grpc/read-typed',
    about: 'a message with typed contents: parsed, checked, copied',
    setUp: () => taking(() => typed),
  },
  { name: 'grpc/read-protobufjs', about: 'protobufjs decodes the known message', setUp: decodingByLibrary },
  { name: 'grpc/reply', about: 'a prepared answer', setUp: () => answering(false, '') },
  {
    name: 'grpc/reply-stream',
    about: 'a prepared answer of a stream, with an id',
    setUp: () => answering(true, 'an id of a request'),
  },
  { name: 'grpc/reply-protobufjs', about: 'protobufjs encodes the answer', setUp: encodingByLibrary },
];
