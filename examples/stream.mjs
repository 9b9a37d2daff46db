// Streams the yearly numbers of sunspots to the model `sunspots` of a running server, a year at a time, over gRPC and over
// WebSocket at once, and holds each forecast against a run of all years at once (`sunspots_series`).
//   node examples/stream.mjs [--url http://127.0.0.1:8000] [--grpc 127.0.0.1:8001] [--years 10]
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { WebSocket } from 'ws';

const SERIES = new URL('sunspots/yearly.csv', import.meta.url);
const PROTO = fileURLToPath(new URL('../proto/grpc_service.proto', import.meta.url));
/** Of sunspots: what 32-bit floats may differ in where sums are made in another order. */
const TOLERANCE = 0.01;

/** @returns {{ year: number, activity: number }[]} */
function readSeries() {
  const [, ...lines] = readFileSync(SERIES, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [year, activity] = line.split(',').map(Number);
    return { year, activity };
  });
}

/** The forecasts of all years, from one request. */
async function forecastAtOnce(url, series) {
  const data = series.map(({ activity }) => activity);
  const response = await fetch(new URL('/v2/models/sunspots_series/infer', url), {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'activity', datatype: 'FP32', shape: [data.length, 1], data }] }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`the server says: ${answer.error}`);
  return answer.outputs[0].data;
}

/** One forecast after the other, each when the one before is there: as it is with data that is only just measured. */
async function forecastYearByYear(series, step) {
  const forecasts = [];
  for (const [index, { activity }] of series.entries()) {
    forecasts.push(await step(activity, index === 0, index === series.length - 1));
  }
  return forecasts;
}

/** A sequence on a stream of ModelStreamInfer. */
async function overGrpc(address, sequenceId, series) {
  const root = await protobuf.load(PROTO);
  const Request = root.lookupType('inference.ModelInferRequest');
  const Response = root.lookupType('inference.ModelStreamInferResponse');
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const stream = client.makeBidiStreamRequest(
    '/inference.GRPCInferenceService/ModelStreamInfer',
    (request) => Buffer.from(Request.encode(Request.fromObject(request)).finish()),
    (bytes) => Response.decode(bytes),
  );
  const answers = stream[Symbol.asyncIterator]();
  const forecasts = await forecastYearByYear(series, async (activity, isFirst, isLast) => {
    stream.write({
      modelName: 'sunspots',
      parameters: {
        sequence_id: { int64Param: sequenceId },
        sequence_start: { boolParam: isFirst },
        sequence_end: { boolParam: isLast },
      },
      inputs: [{ name: 'activity', datatype: 'FP32', shape: [1, 1] }],
      rawInputContents: [Buffer.from(Float32Array.of(activity).buffer)],
    });
    const { value: answer } = await answers.next();
    if (answer.errorMessage) throw new Error(`the server says: ${answer.errorMessage}`);
    return Buffer.from(answer.inferResponse.rawOutputContents[0]).readFloatLE();
  });
  stream.end();
  client.close();
  return forecasts;
}

/** A sequence on a WebSocket. */
async function overWebSocket(url, sequenceId, series) {
  const address = new URL('/v2/models/sunspots/infer', url);
  address.protocol = address.protocol.replace('http', 'ws');
  const socket = new WebSocket(address, 'conch.v1');
  await once(socket, 'open');
  const forecasts = await forecastYearByYear(series, async (activity, isFirst, isLast) => {
    socket.send(
      JSON.stringify({
        parameters: { sequence_id: sequenceId, sequence_start: isFirst, sequence_end: isLast },
        inputs: [{ name: 'activity', datatype: 'FP32', shape: [1, 1], data: [activity] }],
      }),
    );
    const [message] = await once(socket, 'message');
    const answer = JSON.parse(message);
    if (answer.error) throw new Error(`the server says: ${answer.error}`);
    return answer.outputs[0].data[0];
  });
  socket.close();
  return forecasts;
}

function row(...cells) {
  return cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(1) : cell).padStart(13)).join('');
}

function largestDifference(forecasts, expected) {
  return Math.max(...forecasts.map((forecast, index) => Math.abs(forecast - expected[index])));
}

async function main() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8000' },
      grpc: { type: 'string', default: '127.0.0.1:8001' },
      years: { type: 'string', default: '10' },
    },
  });
  const years = Number(values.years);
  if (!Number.isInteger(years) || years < 1) throw new Error(`--years must be a whole number above 0: ${values.years}`);
  const series = readSeries();
  const sequenceId = 1 + Math.floor(Math.random() * 1e9);
  const [atOnce, byGrpc, byWebSocket] = await Promise.all([
    forecastAtOnce(values.url, series),
    overGrpc(values.grpc, sequenceId, series),
    overWebSocket(values.url, sequenceId + 1, series),
  ]);

  console.log(row('year', 'sunspots', 'forecast by:', 'gRPC', 'WebSocket', 'at once'));
  for (let index = Math.max(1, series.length - years); index < series.length; index++) {
    const { year, activity } = series[index];
    const before = index - 1;
    console.log(row(String(year), activity, '', byGrpc[before], byWebSocket[before], atOnce[before]));
  }
  const difference = Math.max(largestDifference(byGrpc, atOnce), largestDifference(byWebSocket, atOnce));
  console.log(
    `\n${series.length} years, year by year; largest difference from all at once: ${difference.toExponential(1)}`,
  );
  if (!(difference < TOLERANCE)) throw new Error(`the forecasts differ by more than ${TOLERANCE}`);
}

try {
  await main();
} catch (error) {
  // fetch says only "fetch failed"; what happened is in the cause.
  const unreachable = error instanceof TypeError && error.cause?.code;
  console.error(
    unreachable
      ? `No server answers (${error.cause.code}). Start one with: npm start\nor name another with --url and --grpc.`
      : `stream: ${error.message}`,
  );
  process.exitCode = 1;
}
