import { fileURLToPath } from 'node:url';
import { systemClock } from '../src/base/clock.js';
import { createLog } from '../src/base/log.js';
import { normalizeConfig } from '../src/config/normalize.js';
import { parseModelConfig } from '../src/config/pbtxt.js';
import type { InferResponse, Responder } from '../src/core/infer-response.js';
import { Model } from '../src/core/model.js';
import { ModelTensors } from '../src/core/model-tensors.js';
import { ClientRegions } from '../src/core/regions/client-regions.js';
import type { InferenceServer } from '../src/core/server.js';
import { Arena } from '../src/memory/arena.js';
import { IdBytes } from '../src/protocols/grpc/id-bytes.js';
import { InferReader } from '../src/protocols/grpc/infer-reader.js';
import { protoRoot } from '../src/protocols/grpc/proto.js';
import { ReplyTemplate } from '../src/protocols/grpc/reply-template.js';
import { ModelStatistics } from '../src/telemetry/statistics.js';

/**
 * Nanoseconds of the gRPC codec for one request of the model `simple` (two INT32 [1,16] in, two out), beside protobufjs decoding the
 * request and encoding the response; and of typed contents. One line per step: `node dist/bench/grpc-codec.bench.js`.
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

const config = normalizeConfig(
  parseModelConfig(
    `name: "simple" max_batch_size: 64
     input [ { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] }, { name: "INPUT1" data_type: TYPE_INT32 dims: [ 16 ] } ]
     output [ { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] }, { name: "OUTPUT1" data_type: TYPE_INT32 dims: [ 16 ] } ]`,
    'config.pbtxt',
  ),
  { gpus: [] },
);
const log = createLog({ verbose: 0, info: false, warning: false, error: true, format: 'default', file: '' });
const model = new Model(
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
    log,
    sequenceMaxBacklog: 100,
    responseTimeoutSecs: 60,
    find: () => model,
  },
);
const server = { find: () => model, regions: new ClientRegions(false) } as unknown as InferenceServer;
const nobody: Responder = { onResponse: () => {}, onError: () => {} };

const requestType = protoRoot().lookupType('inference.ModelInferRequest');
const responseType = protoRoot().lookupType('inference.ModelInferResponse');
const values = Array.from({ length: 16 }, (_, index) => index * 1000);
const raw = Buffer.from(Int32Array.from(values).buffer);
const inputs = ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16] }));

function requestBytes(more: object): Buffer {
  return Buffer.from(requestType.encode(requestType.fromObject({ model_name: 'simple', inputs, ...more })).finish());
}

const plain = requestBytes({ raw_input_contents: [raw, raw] });
const withIds = Array.from({ length: 1000 }, (_, nth) =>
  requestBytes({ id: `id ${nth}`, raw_input_contents: [raw, raw] }),
);
const typedInputs = inputs.map((input) => ({ ...input, contents: { int_contents: values } }));
const typed = requestBytes({ inputs: typedInputs });

/** Everything from the message to tensors in their rows. */
function takeIn(reader: InferReader, message: Buffer): void {
  reader.read(message);
  const request = model.admit(reader.plan, reader.sizes, nobody);
  for (let nth = 0; nth < reader.sizes.length; nth++) {
    reader.copyInput(message, nth, model.arena.bytes, request.inputBegin(nth));
  }
  request.abandon();
}

const outputs = ['OUTPUT0', 'OUTPUT1'].map((name) => ({
  name,
  datatype: 'INT32' as const,
  shape: [1, 16],
  bytes: raw,
}));
/** As much of an answered request as writing looks at. */
const answered = {
  model,
  plan: { outputs: [0, 1].map((index) => ({ index, binary: true, classCount: 0 })) },
  outputBegin: (nth: number) => nth * 64,
  outputBytes: () => 64,
  hasFixedOutputs: true,
  isFinal: true,
  parameters: null,
} as unknown as InferResponse;

function report(step: string, ns: number): void {
  process.stdout.write(`${step.padEnd(64)} ${ns.toFixed(0).padStart(7)} ns\n`);
}

function main(): void {
  const reader = new InferReader(server);
  let nth = 0;
  report(
    'a known message: read, rows taken, copied, given back',
    nanoseconds(() => takeIn(reader, plain)),
  );
  report(
    'the same with another id each time',
    nanoseconds(() => takeIn(reader, withIds[nth++ % 1000]!)),
  );
  report(
    'a message with typed contents: parsed, checked, copied',
    nanoseconds(() => takeIn(reader, typed)),
  );
  report(
    'protobufjs decodes the known message',
    nanoseconds(() => void requestType.decode(plain)),
  );
  const template = ReplyTemplate.of(answered, outputs, false)!;
  const streamed = ReplyTemplate.of(answered, outputs, true)!;
  const id = new IdBytes();
  report(
    'a prepared answer',
    nanoseconds(() => void template.write(answered, id)),
  );
  id.set(Buffer.from('an id of a request'), 0, 18);
  report(
    'a prepared answer of a stream, with an id',
    nanoseconds(() => void streamed.write(answered, id)),
  );
  const response = responseType.fromObject({
    model_name: 'simple',
    model_version: '1',
    outputs,
    raw_output_contents: [raw, raw],
  });
  report(
    'protobufjs encodes the answer',
    nanoseconds(() => void responseType.encode(response).finish()),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
