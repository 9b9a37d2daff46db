import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import type { RawAnswer } from '../protocols/http/raw-client.js';
import { ask, type HttpRequest, post } from './requests.js';
import { root } from './server.js';

const messages = protobuf.parse(readFileSync(join(root, 'proto/trtis.proto'), 'utf8'), { keepCase: true }).root;

/** A message of 19.11 as protobufjs alone reads and writes it. */
export function v1Type(name: string): protobuf.Type {
  return messages.lookupType(`nvidia.inferenceserver.${name}`);
}

/** A binary message as a plain object: 64-bit integers are numbers, enums names. */
export function readV1(name: string, bytes: Uint8Array): Record<string, unknown> {
  const type = v1Type(name);
  return type.toObject(type.decode(bytes), { longs: Number, enums: String });
}

export interface V1Infer {
  /** Behind `/api/infer/`. */
  readonly path: string;
  /** NV-InferRequest. */
  readonly header: string;
  readonly body?: Uint8Array;
}

export function v1Infer({ path, header, body = Buffer.alloc(0) }: V1Infer): HttpRequest {
  return post(`/api/infer/${path}`, Buffer.from(body), { 'NV-InferRequest': header });
}

export interface V1Answer {
  readonly code: number;
  /** NV-Status without the id of the request. */
  readonly status: string;
  /** NV-InferResponse. */
  readonly header: string | undefined;
  readonly body: Buffer;
}

export async function askV1(port: number, request: HttpRequest): Promise<V1Answer> {
  return v1Answer(await ask(port, request));
}

export function v1Answer({ status, headers, body }: RawAnswer): V1Answer {
  const line = (headers.get('nv-status') ?? 'none').replace(/ request_id: [1-9]\d*$/, '');
  return { code: status, status: line, header: headers.get('nv-inferresponse'), body };
}

export function ints(...values: number[]): Buffer {
  return Buffer.from(Int32Array.from(values).buffer);
}

export function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

export function strings(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.map((text) => {
      const bytes = Buffer.from(`....${text}`);
      bytes.writeUInt32LE(bytes.length - 4);
      return bytes;
    }),
  );
}

/** Both inputs of `simple`: 0, 1, ... from `first` on in the first, 1 in the second. */
export function simpleBody(first: number, rows = 1): Buffer {
  const count = 16 * rows;
  return ints(...Array.from({ length: count }, (_, nth) => first + nth), ...new Array<number>(count).fill(1));
}

/** Both outputs of `simple` for it. */
export function simpleSums(first: number, rows = 1): Buffer {
  const row = (by: number) => Array.from({ length: 16 * rows }, (_, nth) => first + nth + by);
  return ints(...row(1), ...row(-1));
}

export const SIMPLE =
  'batch_size: 1 input { name: "INPUT0" } input { name: "INPUT1" } output { name: "OUTPUT0" } output { name: "OUTPUT1" }';
