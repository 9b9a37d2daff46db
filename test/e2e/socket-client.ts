import { once } from 'node:events';
import type { ClientOptions } from 'ws';
import { TestClient } from '../protocols/ws/socket-fixture.js';
import { type HttpRequest, outputsOf } from './requests.js';

const LENGTH_HEADER = 'Inference-Header-Content-Length';

/** The message for what is a request over HTTP: text, or binary where tensors follow the JSON. */
export function messageOf({ headers, body }: HttpRequest): string | Buffer {
  const length = headers[LENGTH_HEADER];
  return length === undefined ? body.toString() : binaryMessage(Number(length), body);
}

/** @param length of the JSON that `body` begins with */
export function binaryMessage(length: number, body: Uint8Array): Buffer {
  const begin = Buffer.alloc(4);
  begin.writeUInt32LE(length);
  return Buffer.concat([begin, body]);
}

export interface Answer {
  readonly id?: string | null;
  readonly error?: string;
  readonly status?: number;
  readonly model_name?: string;
  readonly model_version?: string;
  /** Of all outputs, by name, whichever way they came; none of an error. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly isText: boolean;
}

/** A client of `conch.v1`. */
export class SocketClient extends TestClient {
  static async open(port: number, path: string, options: ClientOptions = {}): Promise<SocketClient> {
    const client = new SocketClient(`ws://127.0.0.1:${port}${path}`, ['conch.v1'], options);
    await once(client.webSocket, 'open');
    return client;
  }

  /** The first `count` answers. */
  async answers(count: number): Promise<Answer[]> {
    return (await this.received(count)).slice(0, count).map(({ bytes, isText }) => answerOf(bytes, isText));
  }

  /** What comes next. */
  async ask(message: string | Uint8Array): Promise<Answer> {
    const before = this.messages.length;
    this.send(message);
    return (await this.answers(before + 1))[before]!;
  }
}

function answerOf(bytes: Buffer, isText: boolean): Answer {
  const length = isText ? bytes.length : bytes.readUInt32LE();
  const body = isText ? bytes : bytes.subarray(4);
  const head = JSON.parse(body.toString('utf8', 0, length));
  if (head.error !== undefined) return { ...head, values: {}, isText };
  const headers = new Map(isText ? [] : [[LENGTH_HEADER.toLowerCase(), String(length)]]);
  const { outputs: _, ...rest } = head;
  return { ...rest, values: outputsOf({ status: 200, headers, body }), isText };
}
