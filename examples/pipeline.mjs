// Sends files of handwritten digits, PNG and JPEG as they are, to the ensemble `digits_pipeline` of a running server.
//   node examples/pipeline.mjs [--url http://127.0.0.1:8000] [--grpc 127.0.0.1:8001]    the held-out pictures
//   node examples/pipeline.mjs [--url http://127.0.0.1:8000] FILE...                    your own
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import sharp from 'sharp';

const HELD_OUT = new URL('digits/held-out/', import.meta.url);
const PROTO = fileURLToPath(new URL('../proto/grpc_service.proto', import.meta.url));
const LABELS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const MODEL = 'digits_pipeline';
/** Requests in flight. */
const CONCURRENCY = 16;
/** JPEG files of one request. */
const FILES_PER_REQUEST = 8;
/** Of the pictures, a share that must be read right: less says that something is broken. */
const LEAST_RIGHT = 0.95;

/** Elements of a BYTES tensor: each has its length in front, four bytes, the least significant first. */
function bytesTensor(files) {
  return Buffer.concat(
    files.flatMap((file) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(file.length);
      return [length, file];
    }),
  );
}

function stringsOf(tensor) {
  const strings = [];
  for (let at = 0; at < tensor.length; at += 4 + tensor.readUInt32LE(at)) {
    strings.push(tensor.toString('utf8', at + 4, at + 4 + tensor.readUInt32LE(at)));
  }
  return strings;
}

/** Asks over HTTP, with the files behind the JSON: a { label, score } for each. */
async function askHttp(url, files) {
  const tensor = bytesTensor(files);
  const parameters = { binary_data_size: tensor.length };
  const head = Buffer.from(
    JSON.stringify({ inputs: [{ name: 'IMAGE', datatype: 'BYTES', shape: [files.length, 1], parameters }] }),
  );
  const response = await fetch(new URL(`/v2/models/${MODEL}/infer`, url), {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream', 'Inference-Header-Content-Length': String(head.length) },
    body: Buffer.concat([head, tensor]),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`the server says: ${answer.error}`);
  const [labels, scores] = ['LABEL', 'SCORE'].map((name) => answer.outputs.find((output) => output.name === name).data);
  return labels.map((label, nth) => ({ label, score: scores[nth] }));
}

/** Asks over gRPC, by ModelInfer. */
async function openGrpc(address) {
  const root = await protobuf.load(PROTO);
  const Request = root.lookupType('inference.ModelInferRequest');
  const Response = root.lookupType('inference.ModelInferResponse');
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const call = promisify(client.makeUnaryRequest.bind(client));
  const ask = async (files) => {
    const answer = await call(
      '/inference.GRPCInferenceService/ModelInfer',
      (request) => Buffer.from(Request.encode(Request.fromObject(request)).finish()),
      (bytes) => Response.decode(bytes),
      {
        modelName: MODEL,
        inputs: [{ name: 'IMAGE', datatype: 'BYTES', shape: [files.length, 1] }],
        outputs: [{ name: 'LABEL' }, { name: 'SCORE' }],
        rawInputContents: [bytesTensor(files)],
      },
    );
    const [labels, scores] = answer.rawOutputContents.map((bytes) => Buffer.from(bytes));
    return stringsOf(labels).map((label, nth) => ({ label, score: scores.readFloatLE(nth * 4) }));
  };
  return { ask, close: () => client.close() };
}

/** A picture as a scan has it: larger, dark ink on grey paper, a JPEG. */
function scanOf(png) {
  return sharp(png).resize(96, 96, { kernel: 'cubic' }).linear(-0.75, 225).jpeg().toBuffer();
}

/** What `ask` says of all files, `perRequest` of them in a request. */
async function askAll(files, perRequest, ask) {
  const requests = Array.from({ length: Math.ceil(files.length / perRequest) }, (_, nth) =>
    files.slice(nth * perRequest, (nth + 1) * perRequest),
  );
  const answers = [];
  const pending = requests.entries();
  const worker = async () => {
    for (const [nth, request] of pending) answers[nth] = await ask(request);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return answers.flat();
}

/** Prints one line; returns the share that is right. */
async function measure(what, { files, expected, perRequest, ask }) {
  const beginMs = performance.now();
  const answers = await askAll(files, perRequest, ask);
  const seconds = (performance.now() - beginMs) / 1000;
  const right = answers.filter(({ label }, nth) => label === expected[nth]).length;
  const rate = (files.length / seconds).toFixed(0);
  console.log(`${what}: ${right} of ${files.length} right, ${rate} pictures/s`);
  return right / files.length;
}

async function readHeldOut({ url, grpc: address }) {
  const names = readdirSync(HELD_OUT).sort();
  const expected = names.map((name) => LABELS[Number(name.split(/[_.]/)[1])]);
  const pngs = names.map((name) => readFileSync(new URL(name, HELD_OUT)));
  const jpegs = await Promise.all(pngs.map(scanOf));
  const client = await openGrpc(address);
  try {
    const shares = [
      await measure('PNG, 8 x 8, over HTTP, one in a request', {
        files: pngs,
        expected,
        perRequest: 1,
        ask: (files) => askHttp(url, files),
      }),
      await measure(`JPEG, 96 x 96, over gRPC, ${FILES_PER_REQUEST} in a request`, {
        files: jpegs,
        expected,
        perRequest: FILES_PER_REQUEST,
        ask: client.ask,
      }),
    ];
    if (Math.min(...shares) < LEAST_RIGHT) throw new Error(`fewer than ${LEAST_RIGHT * 100} % are right`);
  } finally {
    client.close();
  }
}

async function readOwn({ url }, paths) {
  for (const path of paths) {
    const [{ label, score }] = await askHttp(url, [readFileSync(path)]);
    console.log(`${path}: ${label} (${(score * 100).toFixed(1)} %)`);
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8000' },
      grpc: { type: 'string', default: '127.0.0.1:8001' },
    },
  });
  await (positionals.length > 0 ? readOwn(values, positionals) : readHeldOut(values));
}

try {
  await main();
} catch (error) {
  // fetch says only "fetch failed"; what happened is in the cause.
  const unreachable = error instanceof TypeError && error.cause?.code;
  console.error(
    unreachable
      ? `No server answers (${error.cause.code}). Start one with: npm start\nor name another with --url and --grpc.`
      : `pipeline: ${error.message}`,
  );
  process.exitCode = 1;
}
