import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { type InferOutcome, infer as inferGrpc } from '../protocols/grpc/real-server.js';
import { ask, askJson, get, infer, outputsOf, type Tensor } from './requests.js';
import { errorOf } from './sequence-steps.js';
import type { ServerProcess } from './server.js';
import { messageOf, SocketClient } from './socket-client.js';

/** `NAME TYPE dims...`, as `INPUT0 INT32 16`. */
type TensorText = string;

export interface EnsembleText {
  readonly maxBatchSize: number;
  readonly inputs: readonly TensorText[];
  readonly outputs: readonly TensorText[];
  /** Each `MODEL INPUT=tensor ... -> OUTPUT=tensor ...`. */
  readonly steps: readonly string[];
  readonly more?: string;
}

/** The files of ensembles, by their paths in a repository. */
export function ensembleFiles(ensembles: Readonly<Record<string, EnsembleText>>): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(ensembles).flatMap(([name, text]) => [
      [`${name}/config.pbtxt`, Buffer.from(ensembleConfig(name, text))],
      // A version has a folder, which is empty.
      [`${name}/1/.keep`, Buffer.alloc(0)],
    ]),
  );
}

export function ensembleConfig(
  name: string,
  { maxBatchSize, inputs, outputs, steps, more = '' }: EnsembleText,
): string {
  return `name: "${name}"
platform: "ensemble"
max_batch_size: ${maxBatchSize}
${inputs.map((text) => tensorText('input', text)).join('\n')}
${outputs.map((text) => tensorText('output', text)).join('\n')}
ensemble_scheduling {
  ${more}
  ${steps.map(stepText).join('\n  ')}
}
`;
}

function tensorText(kind: string, text: TensorText): string {
  const [name, datatype, ...rest] = text.split(' ');
  const dims = rest.filter((word) => word !== 'optional');
  const optional = rest.length > dims.length ? ' optional: true' : '';
  return `${kind} [ { name: "${name}" data_type: TYPE_${datatype} dims: [ ${dims.join(', ')} ]${optional} } ]`;
}

function stepText(step: string): string {
  const [reads, writes] = step.split(' -> ').map((side) => side.split(' '));
  const map = (kind: string, ends: readonly string[]) =>
    ends.map((end) => `${kind} { key: "${end.split('=')[0]}" value: "${end.split('=')[1]}" }`).join(' ');
  return `step { model_name: "${reads![0]}" model_version: -1 ${map('input_map', reads!.slice(1))} ${map('output_map', writes!)} }`;
}

/** Three copies of `simple_b64` one behind the other: 2 (a + b) and 2 (a - b). */
export const chain: EnsembleText = {
  maxBatchSize: 64,
  inputs: ['INPUT0 INT32 16', 'INPUT1 INT32 16'],
  outputs: ['OUTPUT0 INT32 16', 'OUTPUT1 INT32 16'],
  steps: [
    'first INPUT0=INPUT0 INPUT1=INPUT1 -> OUTPUT0=sum OUTPUT1=difference',
    'second INPUT0=sum INPUT1=difference -> OUTPUT0=twice_a OUTPUT1=twice_b',
    'third INPUT0=twice_a INPUT1=twice_b -> OUTPUT0=OUTPUT0 OUTPUT1=OUTPUT1',
  ],
};

export const chainSteps = { first: 'simple_b64', second: 'simple_b64', third: 'simple_b64' };

/** What `chain` makes of `simpleInputs(first)`, for any number of rows. */
export function chainOutputs(a: readonly number[], b: readonly number[]): Record<string, number[]> {
  return {
    OUTPUT0: a.map((value, index) => 2 * (value + b[index]!)),
    OUTPUT1: a.map((value, index) => 2 * (value - b[index]!)),
  };
}

/** Values of the outputs by name, or the text of the error. */
export type Got = Record<string, unknown> | string;

/** Over one protocol. */
export type Way = (server: ServerProcess, model: string, tensors: readonly Tensor[], head?: object) => Promise<Got>;

const overHttp: Way = async (server, model, tensors, head) => {
  const answer = await ask(server.httpPort, infer(model, tensors, { head: head ?? {} }));
  return answer.status === 200 ? outputsOf(answer) : errorOf(answer);
};

const overWebSocket: Way = async (server, model, tensors, head) => {
  const client = await SocketClient.open(server.httpPort, `/v2/models/${model}/infer`);
  const { error, status, values } = await client.ask(messageOf(infer(model, tensors, { head: head ?? {} })));
  client.webSocket.close();
  return error === undefined ? values : `${status} ${error}`;
};

const overGrpc: Way = async (server, model, tensors, head = {}) => {
  const { outputs = [] } = head as { outputs?: readonly { name: string }[] };
  const client = new BytesClient(server.grpcPort);
  // Binary tensors are the raw contents, one behind the other.
  const { body } = infer(
    model,
    tensors.map((tensor) => ({ ...tensor, binary: true })),
  );
  const sizes = tensors.map((tensor) => infer(model, [{ ...tensor, binary: true }])).map(binaryBytes);
  const first = body.length - sizes.reduce((sum, size) => sum + size, 0);
  const begin = (nth: number) => sizes.slice(0, nth).reduce((sum, size) => sum + size, first);
  const raw = sizes.map((_, nth) => body.subarray(begin(nth), begin(nth + 1)));
  const { id } = head as { id?: string };
  const outcome = await inferGrpc(client, {
    model_name: model,
    ...(id === undefined ? {} : { id }),
    inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    outputs: outputs.map(({ name }) => ({ name })),
    raw_input_contents: raw,
  });
  client.close();
  return outcome.response === null ? `${outcome.code} ${outcome.details}` : grpcOutputs(outcome);
};

export const ways: readonly (readonly [string, Way])[] = [
  ['HTTP', overHttp],
  ['WebSocket', overWebSocket],
  ['gRPC', overGrpc],
];

function binaryBytes({ headers, body }: ReturnType<typeof infer>): number {
  return body.length - Number(headers['Inference-Header-Content-Length']);
}

function grpcOutputs({ response }: InferOutcome): Record<string, unknown> {
  const { outputs, raw_output_contents } = response!;
  // The same bytes, as an answer of HTTP has them.
  const head = Buffer.from(
    JSON.stringify({
      outputs: outputs.map(({ name, datatype }, index) => ({
        name,
        datatype,
        parameters: { binary_data_size: raw_output_contents[index]!.length },
      })),
    }),
  );
  const headers = new Map([['inference-header-content-length', String(head.length)]]);
  return outputsOf({ status: 200, headers, body: Buffer.concat([head, ...raw_output_contents]) });
}

export interface Counts {
  readonly success: number;
  readonly fail: number;
  readonly rows: number;
  readonly executions: number;
}

export async function countsOf(server: ServerProcess, model: string): Promise<Counts> {
  const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
  const { inference_stats, inference_count, execution_count } = model_stats[0];
  return {
    success: inference_stats.success.count,
    fail: inference_stats.fail.count,
    rows: inference_count,
    executions: execution_count,
  };
}
