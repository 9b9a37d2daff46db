import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { LoadRequest } from '../core/wrk.js';

/** One connection that sends a request again and again, and holds every answer against the first. */
export class Caller {
  readonly #socket: Socket;
  readonly #request: Buffer;
  #received = Buffer.alloc(0);
  #onAnswer: (() => void) | null = null;
  /** Body of the first answer. */
  #expected: Buffer | null = null;
  answered = 0;
  /** What was wrong with answers, and with the connection. */
  readonly failures: string[] = [];

  private constructor(socket: Socket, request: Buffer) {
    this.#socket = socket;
    this.#request = request;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.failures.push(error.message));
    socket.on('close', () => {
      if (this.#onAnswer !== null) this.failures.push('the connection was closed with a request on it');
      this.#onAnswer?.();
    });
  }

  static async connect(port: number, request: LoadRequest): Promise<Caller> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Caller(socket, bytesOf(request));
  }

  /** Resolves with the answer, wrong ones included; one at a time. */
  async call(): Promise<void> {
    const answer = new Promise<void>((resolve) => {
      this.#onAnswer = resolve;
    });
    this.#socket.write(this.#request);
    await answer;
    this.#onAnswer = null;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    if (this.#received.length < headEnd + 4 + length) return;
    this.#check(head, this.#received.subarray(headEnd + 4));
    this.#received = Buffer.alloc(0);
    this.#onAnswer?.();
  }

  #check(head: string, body: Buffer): void {
    this.answered++;
    if (!head.startsWith('HTTP/1.1 200'))
      this.failures.push(`${head.split('\r\n')[0]}: ${body.toString('utf8', 0, 200)}`);
    else if (this.#expected === null) this.#expected = Buffer.from(body);
    else if (!this.#expected.equals(body)) this.failures.push('an answer differs from the first');
  }
}

function bytesOf({ path, headers, body }: LoadRequest): Buffer {
  const lines = Object.entries({ Host: '127.0.0.1', 'Content-Length': String(body.length), ...headers });
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${text}\r\n`), body]);
}
