import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MessageType } from '../../../src/protocols/grpc/proto.js';
import { BytesClient, type CallOptions, type ClientStream, type Outcome } from './engine-fixture.js';
import { encodeRequest, type TwinRequest } from './twin.js';

const ROOT = new URL('../../../', import.meta.url);
const MAIN = fileURLToPath(new URL('dist/src/main.js', ROOT));
const MODELS = fileURLToPath(new URL('test/models', ROOT));
const STARTED = /Started (GRPCInferenceService|HTTPService) at 127\.0\.0\.1:(\d+)/g;

export const SERVICE = '/inference.GRPCInferenceService';

const responseType = new MessageType('inference.ModelInferResponse');
const streamResponseType = new MessageType('inference.ModelStreamInferResponse');

/** ModelInferResponse as protobufjs reads it. */
export interface InferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, { bool_param?: boolean }>>;
  readonly outputs: readonly { name: string; datatype: string; shape: readonly unknown[] }[];
  readonly raw_output_contents: readonly Buffer[];
}

export interface StreamResponse {
  readonly error_message: string;
  readonly infer_response: InferResponse;
}

export interface InferOutcome extends Outcome {
  /** Null where the status is not OK. */
  readonly response: InferResponse | null;
}

/** The built server as a process of its own, on free ports, with the models for tests. */
export class RealServer {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly #process: ChildProcess;
  readonly #clients: BytesClient[] = [];

  private constructor(child: ChildProcess, grpcPort: number, httpPort: number) {
    this.#process = child;
    this.grpcPort = grpcPort;
    this.httpPort = httpPort;
  }

  static async start(...flags: string[]): Promise<RealServer> {
    if (!existsSync(MAIN)) throw new Error('dist/ is missing: npm run build');
    const ports = ['--http-port=0', '--grpc-port=0', '--allow-metrics=false'];
    const child = spawn(process.execPath, [MAIN, 'serve', MODELS, ...ports, ...flags]);
    let output = '';
    return new Promise((resolve, reject) => {
      child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
      const onOutput = (chunk: Buffer) => {
        output += chunk;
        const found = new Map([...output.matchAll(STARTED)].map(([, service, port]) => [service, Number(port)]));
        if (found.size === 2) {
          resolve(new RealServer(child, found.get('GRPCInferenceService')!, found.get('HTTPService')!));
        }
      };
      child.stdout.on('data', onOutput);
      child.stderr.on('data', onOutput);
    });
  }

  client(
    ...options: ConstructorParameters<typeof BytesClient> extends [number, ...infer Rest] ? Rest : never
  ): BytesClient {
    const client = new BytesClient(this.grpcPort, ...options);
    this.#clients.push(client);
    return client;
  }

  signal(): void {
    this.#process.kill('SIGTERM');
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Ends it; its exit code. */
  async stop(): Promise<number | null> {
    for (const client of this.#clients) client.close();
    if (this.#process.exitCode !== null) return this.#process.exitCode;
    const ended = new Promise<number | null>((resolve) => this.#process.on('exit', resolve));
    this.#process.kill('SIGTERM');
    return ended;
  }
}

/** A unary call of the inference service with messages by name. */
export async function ask<Answer = unknown>(
  client: BytesClient,
  method: string,
  request: object = {},
): Promise<Answer> {
  const { code, details, messages } = await client.unary(
    `${SERVICE}/${method}`,
    new MessageType(`inference.${method}Request`).encode(request),
  );
  if (code !== 0) throw new Error(`${code}: ${details}`);
  const answer = new MessageType(`inference.${method}Response`).decode(messages[0]!);
  return JSON.parse(JSON.stringify(answer)) as Answer;
}

export async function infer(client: BytesClient, request: TwinRequest, options?: CallOptions): Promise<InferOutcome> {
  const outcome = await client.unary(`${SERVICE}/ModelInfer`, encodeRequest(request), options);
  const [message] = outcome.messages;
  const response = message === undefined ? null : (responseType.decode(message) as unknown as InferResponse);
  return { ...outcome, response };
}

export function openStream(client: BytesClient, options?: CallOptions): ClientStream {
  return client.open(`${SERVICE}/ModelStreamInfer`, options);
}

export function streamResponses(messages: readonly Buffer[]): StreamResponse[] {
  return messages.map((message) => streamResponseType.decode(message) as unknown as StreamResponse);
}

/** A request to a model with one input INPUT0. */
export function oneInput(model: string, datatype: string, shape: readonly number[], raw: Uint8Array): TwinRequest {
  return { model_name: model, inputs: [{ name: 'INPUT0', datatype, shape }], raw_input_contents: [raw] };
}

export function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

/** A request to `simple_b64`: OUTPUT0 = a + b, OUTPUT1 = a - b. */
export function simpleRequest(a: number, b: number, id = ''): TwinRequest {
  const raw = (value: number) => Buffer.from(new Int32Array(16).fill(value).buffer);
  return {
    model_name: 'simple_b64',
    ...(id === '' ? {} : { id }),
    inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16] })),
    raw_input_contents: [raw(a), raw(b)],
  };
}

export function firstInts({ raw_output_contents }: InferResponse): number[] {
  return raw_output_contents.map((bytes) => bytes.readInt32LE());
}
