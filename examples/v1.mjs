// The classic session of the TensorRT Inference Server 19.11, against a running server with the models of examples/trtis:
// health, status, `simple` over HTTP, over gRPC and over a stream, `simple_string`.
//   node examples/v1.mjs [--url http://127.0.0.1:8000] [--grpc 127.0.0.1:8001]
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';

const PROTO = fileURLToPath(new URL('../proto/trtis.proto', import.meta.url));
const SERVICE = '/nvidia.inferenceserver.GRPCService';

const { values: places } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8000' },
    grpc: { type: 'string', default: '127.0.0.1:8001' },
  },
});

const COUNTS = Array.from({ length: 16 }, (_, index) => index);
const ONES = COUNTS.map(() => 1);

const ints = (numbers) => Buffer.from(Int32Array.from(numbers).buffer);
const readInts = (bytes) => COUNTS.map((index) => bytes.readInt32LE(4 * index));

/** Each with its length in front, 4 bytes. */
function strings(texts) {
  const parts = texts.flatMap((text) => [ints([Buffer.byteLength(text)]), Buffer.from(text)]);
  return Buffer.concat(parts);
}

function readStrings(bytes) {
  const texts = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32LE(at);
    texts.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  return texts;
}

async function get(path) {
  const response = await fetch(new URL(path, places.url));
  return { status: response.status, text: await response.text() };
}

/** The bytes of each output: as many as NV-InferResponse says, one behind the other. */
async function inferOverHttp(model, header, body) {
  const response = await fetch(new URL(`/api/infer/${model}`, places.url), {
    method: 'POST',
    headers: { 'NV-InferRequest': header },
    body,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`the server says: ${response.headers.get('NV-Status')}`);
  const sizes = [...response.headers.get('NV-InferResponse').matchAll(/batch_byte_size: (\d+)/g)].map(
    ([, size]) => +size,
  );
  return [bytes.subarray(0, sizes[0]), bytes.subarray(sizes[0], sizes[0] + sizes[1])];
}

async function openGrpc() {
  const root = await protobuf.load(PROTO);
  const type = (name) => root.lookupType(`nvidia.inferenceserver.${name}`);
  const write = (request) =>
    Buffer.from(type('InferRequest').encode(type('InferRequest').fromObject(request)).finish());
  const read = (bytes) => type('InferResponse').decode(bytes);
  const client = new grpc.Client(places.grpc, grpc.credentials.createInsecure());
  return {
    infer: (request) =>
      new Promise((resolve, reject) => {
        const answered = (error, answer) => (error ? reject(error) : resolve(answer));
        client.makeUnaryRequest(`${SERVICE}/Infer`, write, read, request, answered);
      }),
    stream: () => client.makeBidiStreamRequest(`${SERVICE}/StreamInfer`, write, read),
    close: () => client.close(),
  };
}

const HEADER =
  'batch_size: 1 input { name: "INPUT0" } input { name: "INPUT1" } output { name: "OUTPUT0" } output { name: "OUTPUT1" }';

/** As a message; -1 is the latest version. */
function simpleRequest(id, second) {
  const named = (...names) => names.map((name) => ({ name }));
  return {
    modelName: 'simple',
    modelVersion: -1,
    metaData: { id, batchSize: 1, input: named('INPUT0', 'INPUT1'), output: named('OUTPUT0', 'OUTPUT1') },
    rawInput: [ints(COUNTS), ints(second)],
  };
}

function outputsOf({ requestStatus, rawOutput }) {
  if (requestStatus.code !== 1) throw new Error(`the server says: ${requestStatus.msg}`);
  return rawOutput.map((bytes) => readInts(Buffer.from(bytes)));
}

/** Throws where an answer is wrong. */
function check(way, second, [sum, difference]) {
  const isRight = COUNTS.every(
    (a, index) => +sum[index] === a + second[index] && +difference[index] === a - second[index],
  );
  if (!isRight) throw new Error(`${way}: wrong: ${sum} and ${difference}`);
  console.log(`${way}: ${COUNTS[15]} + ${second[15]} = ${sum[15]}, ${COUNTS[15]} - ${second[15]} = ${difference[15]}`);
}

async function main() {
  for (const mode of ['live', 'ready']) console.log(`health ${mode}: ${(await get(`/api/health/${mode}`)).status}`);
  const { text } = await get('/api/status/simple');
  for (const [line] of text.matchAll(/^(id|version|ready_state): .*|platform: .*|ready_state: MODEL_.*/gm))
    console.log(line);

  const sums = await inferOverHttp('simple', HEADER, Buffer.concat([ints(COUNTS), ints(ONES)]));
  check('HTTP, simple', ONES, sums.map(readInts));
  const body = Buffer.concat([strings(COUNTS.map(String)), strings(ONES.map(String))]);
  const sized = HEADER.replace(/name: "INPUT(\d)"/g, (input, nth) => {
    return `${input} batch_byte_size: ${strings((nth === '0' ? COUNTS : ONES).map(String)).length}`;
  });
  check('HTTP, simple_string', ONES, (await inferOverHttp('simple_string', sized, body)).map(readStrings));

  const client = await openGrpc();
  check('gRPC, simple', ONES, outputsOf(await client.infer(simpleRequest(1, ONES))));
  const stream = client.stream();
  const steps = [2, 3, 4].map((by) => COUNTS.map(() => by));
  for (const [index, second] of steps.entries()) stream.write(simpleRequest(index + 1, second));
  stream.end();
  for await (const answer of stream) {
    const id = Number(answer.metaData.id);
    check(`gRPC stream, request ${id}`, steps[id - 1], outputsOf(answer));
  }
  client.close();
}

try {
  await main();
} catch (error) {
  console.error(error.cause?.code ?? error.message);
  process.exitCode = 1;
}
