import { type RawAnswer, RawClient } from '../protocols/http/raw-client.js';

type Datatype = 'INT32' | 'FP32' | 'UINT8' | 'BYTES';
type AnsweredDatatype = Datatype | 'UINT64';

export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: readonly number[] | readonly string[] | Uint8Array;
  /** Behind the head, not in it. */
  readonly binary?: boolean;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface InferSettings {
  /** Members of the head beside `inputs`. */
  readonly head?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export function get(path: string): HttpRequest {
  return { method: 'GET', path, headers: {}, body: Buffer.alloc(0) };
}

export function post(path: string, body: string | Buffer, headers: Readonly<Record<string, string>> = {}): HttpRequest {
  return { method: 'POST', path, headers, body: Buffer.from(body) };
}

/** A request to infer: JSON, or JSON and the binary tensors behind it. */
export function infer(model: string, tensors: readonly Tensor[], { head, headers }: InferSettings = {}): HttpRequest {
  const binary = tensors.filter((tensor) => tensor.binary).map(binaryOf);
  const inputs = tensors.map(({ name, datatype, shape, data, binary: isBinary }, index) =>
    isBinary
      ? { name, datatype, shape, parameters: { binary_data_size: binaryOf(tensors[index]!).length } }
      : { name, datatype, shape, data: Array.from<unknown>(data) },
  );
  const json = Buffer.from(JSON.stringify({ inputs, ...head }));
  const lengthHeader = binary.length > 0 ? { 'Inference-Header-Content-Length': String(json.length) } : {};
  return post(`/v2/models/${model}/infer`, Buffer.concat([json, ...binary]), { ...lengthHeader, ...headers });
}

/** Of all outputs, as numbers and texts, whichever way they came. */
export function outputsOf(answer: RawAnswer): Record<string, (number | string)[]> {
  if (answer.status !== 200) throw new Error(`status ${answer.status}: ${answer.body}`);
  const lengthHeader = answer.headers.get('inference-header-content-length');
  let at = lengthHeader === undefined ? answer.body.length : Number(lengthHeader);
  const { outputs } = JSON.parse(answer.body.toString('utf8', 0, at)) as { outputs: AnsweredOutput[] };
  const found: Record<string, (number | string)[]> = {};
  for (const { name, datatype, data, parameters } of outputs) {
    const bytes = parameters?.binary_data_size ?? 0;
    found[name] = data ?? valuesOf(datatype, answer.body.subarray(at, at + bytes));
    at += bytes;
  }
  if (at !== answer.body.length) throw new Error('the answer is longer than its head says');
  return found;
}

interface AnsweredOutput {
  readonly name: string;
  readonly datatype: AnsweredDatatype;
  readonly data?: (number | string)[];
  readonly parameters?: { readonly binary_data_size?: number };
}

function binaryOf({ datatype, data }: Tensor): Buffer {
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (datatype === 'BYTES') return Buffer.concat((data as string[]).map(stringBytes));
  const View = { INT32: Int32Array, FP32: Float32Array, UINT8: Uint8Array }[datatype];
  return Buffer.from(View.from(data as number[]).buffer);
}

function stringBytes(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function valuesOf(datatype: AnsweredDatatype, bytes: Buffer): (number | string)[] {
  const own = new Uint8Array(bytes);
  if (datatype === 'INT32') return [...new Int32Array(own.buffer)];
  if (datatype === 'FP32') return [...new Float32Array(own.buffer)];
  if (datatype === 'UINT8') return [...own];
  if (datatype === 'UINT64') return [...new BigUint64Array(own.buffer)].map(String);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) {
    texts.push(bytes.toString('utf8', at + 4, at + 4 + bytes.readUInt32LE(at)));
  }
  return texts;
}

export function headOf({ method, path, headers, body }: HttpRequest): string {
  const length = method === 'GET' ? [] : [`Content-Length: ${body.length}`];
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `${[`${method} ${path} HTTP/1.1`, 'Host: a', ...length, ...lines].join('\r\n')}\r\n\r\n`;
}

export function bytesOf(request: HttpRequest): Buffer {
  return Buffer.concat([Buffer.from(headOf(request)), request.body]);
}

/** Asks on a connection of its own. Throws where that ends without an answer. */
export async function ask(port: number, request: HttpRequest): Promise<RawAnswer> {
  const client = await RawClient.open(port);
  try {
    const answer = await client.ask(bytesOf(request));
    if (answer === null) throw new Error(`${request.method} ${request.path}: closed without an answer`);
    return answer;
  } finally {
    client.destroy();
  }
}

export async function askJson(port: number, request: HttpRequest) {
  return JSON.parse((await ask(port, request)).body.toString());
}

const row = (first: number) => Array.from({ length: 16 }, (_, index) => first + index);

/** INPUT0 = first, first + 1, ...; INPUT1 = 1 everywhere: for `simple` and `simple_b64`. */
export function simpleInputs(first: number, binary = true): Tensor[] {
  const shape = [1, 16];
  return [
    { name: 'INPUT0', datatype: 'INT32', shape, data: row(first), binary },
    { name: 'INPUT1', datatype: 'INT32', shape, data: new Array<number>(16).fill(1), binary },
  ];
}

export function simpleOutputs(first: number): Record<string, number[]> {
  return { OUTPUT0: row(first + 1), OUTPUT1: row(first - 1) };
}

/** One number: for `slow`, `delayed` and `ordered`. */
export function oneNumber(value: number): Tensor[] {
  return [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], data: [value] }];
}

/** `bytes` bytes in one row: for `identity_uint8`. */
export function manyBytes(bytes: number): Tensor[] {
  const data = Buffer.alloc(bytes, 'conch');
  return [{ name: 'INPUT0', datatype: 'UINT8', shape: [1, bytes], data, binary: true }];
}

export const binaryOutputs = { parameters: { binary_data_output: true } };
