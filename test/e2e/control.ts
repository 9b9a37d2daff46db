import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MessageType } from '../../src/protocols/grpc/proto.js';
import { model, node, onnx, raw, tensor, tensorValue } from '../backends/onnx-builder.js';
import type { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { SERVICE } from '../protocols/grpc/real-server.js';
import type { RawAnswer } from '../protocols/http/raw-client.js';
import { ask, askJson, get, infer, oneNumber, outputsOf, post } from './requests.js';
import { errorOf } from './sequence-steps.js';
import type { ServerProcess } from './server.js';
import { until } from './until.js';

/** OUTPUT0 = INPUT0 + `constant`, any number of rows. */
export function plus(constant: number): Uint8Array<ArrayBuffer> {
  return model({
    inputs: [tensorValue('INPUT0', onnx.FLOAT, ['batch', 1])],
    outputs: [tensorValue('OUTPUT0', onnx.FLOAT, ['batch', 1])],
    initializers: [tensor('constant', onnx.FLOAT, [1], raw(Float32Array.of(constant)))],
    nodes: [node('Add', ['INPUT0', 'constant'], ['OUTPUT0'])],
  });
}

/** Of a model as `plus` makes it, with one instance. */
export function plusConfig(name: string, more = ''): string {
  return `name: "${name}"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 1 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
${more}
`;
}

/** The same as JSON, as a load request has it. */
export function plusJson(name: string, more: object = {}): string {
  return JSON.stringify({
    name,
    platform: 'onnxruntime_onnx',
    max_batch_size: 8,
    input: [{ name: 'INPUT0', data_type: 'TYPE_FP32', dims: [1] }],
    output: [{ name: 'OUTPUT0', data_type: 'TYPE_FP32', dims: [1] }],
    instance_group: [{ count: 1, kind: 'KIND_CPU' }],
    ...more,
  });
}

/** The files of a model that adds `constant`, by their paths in a repository. */
export function plusFiles(name: string, constant: number, more = ''): Record<string, Uint8Array> {
  return {
    [`${name}/config.pbtxt`]: Buffer.from(plusConfig(name, more)),
    [`${name}/1/model.onnx`]: plus(constant),
  };
}

/** Puts a whole file in the place of what was there, from one moment to the next. */
export async function putFile(server: ServerProcess, path: string, content: string | Uint8Array): Promise<void> {
  const target = join(server.repository, path);
  await mkdir(dirname(target), { recursive: true });
  const aside = join(server.repository, `.${path.replaceAll('/', '-')}`);
  await writeFile(aside, content);
  await rename(aside, target);
}

export async function putFiles(server: ServerProcess, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) await putFile(server, path, content);
}

const control = (server: ServerProcess, model: string, action: 'load' | 'unload', body: string) =>
  ask(server.httpPort, post(`/v2/repository/models/${model}/${action}`, body));

/** @param model as it stands in the path */
export function load(server: ServerProcess, model: string, parameters?: object): Promise<RawAnswer> {
  return control(server, model, 'load', parameters === undefined ? '' : JSON.stringify({ parameters }));
}

export function unload(server: ServerProcess, model: string, parameters?: object): Promise<RawAnswer> {
  return control(server, model, 'unload', parameters === undefined ? '' : JSON.stringify({ parameters }));
}

/** '200', or the status and the text of the error. */
export function briefly(answer: RawAnswer): string {
  return answer.status === 200 ? '200' : errorOf(answer);
}

export interface IndexLine {
  readonly name: string;
  readonly version?: string;
  readonly state?: string;
  readonly reason?: string;
}

export function indexOf(server: ServerProcess, body = ''): Promise<IndexLine[]> {
  return askJson(server.httpPort, post('/v2/repository/index', body)) as Promise<IndexLine[]>;
}

/** Of one model: `VERSION STATE: REASON`, as far as they are there. */
export async function statesOf(server: ServerProcess, name: string): Promise<string[]> {
  const lines = (await indexOf(server)).filter((line) => line.name === name);
  return lines.map(({ version = '-', state = '-', reason }) => `${version} ${state}${reason ? `: ${reason}` : ''}`);
}

/** What a model that adds a number adds, or the status and text of the error. */
export async function addsOf(server: ServerProcess, model: string, version = ''): Promise<number | string> {
  const target = version === '' ? model : `${model}/versions/${version}`;
  const answer = await ask(server.httpPort, infer(target, oneNumber(1000)));
  return answer.status === 200 ? (outputsOf(answer).OUTPUT0![0] as number) - 1000 : errorOf(answer);
}

export async function untilAdds(server: ServerProcess, model: string, expected: number): Promise<void> {
  await until(`'${model}' adds ${expected}`, async () => (await addsOf(server, model)) === expected);
}

export async function isReady(server: ServerProcess, model = ''): Promise<boolean> {
  const path = model === '' ? '/v2/health/ready' : `/v2/models/${model}/ready`;
  return (await ask(server.httpPort, get(path))).status === 200;
}

/** How often the log has it. */
export function countOf(server: ServerProcess, text: string): number {
  return server.main.output.split(text).length - 1;
}

export const loadedLine = (model: string, version = 1) => `successfully loaded '${model}' version ${version}`;

/** Requests that a version has answered, in all its time. */
export async function successesOf(server: ServerProcess, model: string): Promise<number> {
  const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
  return Number(model_stats[0].inference_stats.success.count);
}

/** A unary call of the inference service: the answer as JSON, or the code and text of the error. */
export async function callGrpc(client: BytesClient, method: string, request: object): Promise<unknown> {
  const { code, details, messages } = await client.unary(
    `${SERVICE}/${method}`,
    new MessageType(`inference.${method}Request`).encode(request),
  );
  if (code !== 0) return `${code} ${details}`;
  return JSON.parse(JSON.stringify(new MessageType(`inference.${method}Response`).decode(messages[0]!)));
}
