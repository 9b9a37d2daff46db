import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

const headEnd = Buffer.from('\r\n\r\n');

/** A client that says exactly the bytes it is told to, and takes answers apart by their Content-Length. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the connection is closed, by whomever. */
  readonly closed: Promise<void>;
  #chunks: Buffer[] = [];
  #received = 0;
  /** Bytes below which there can be no whole answer: large ones are not put together again for each chunk. */
  #needed = 1;
  #isClosed = false;
  #onChange: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true;
        this.#onChange();
        resolve();
      });
    });
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#received += chunk.length;
      this.#onChange();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Resolves when the kernel has the bytes: two calls are two segments. */
  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** The next answer; null where the connection ends before it is whole. `bodiless` as the answer to HEAD is. */
  async answer(bodiless = false): Promise<RawAnswer | null> {
    for (;;) {
      const answer = this.#take(bodiless);
      if (answer !== null || this.#isClosed) return answer;
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  async ask(bytes: string | Uint8Array): Promise<RawAnswer | null> {
    this.socket.write(bytes);
    return this.answer();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #keep(rest: Buffer): void {
    this.#chunks = [rest];
    this.#received = rest.length;
    this.#needed = 1;
  }

  #take(bodiless: boolean): RawAnswer | null {
    if (this.#received < this.#needed) return null;
    const bytes = Buffer.concat(this.#chunks);
    const end = bytes.indexOf(headEnd);
    if (end < 0) return null;
    const [statusLine, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
    const headers = new Map(lines.map(splitLine));
    const status = Number(statusLine!.split(' ')[1]);
    const length = bodiless || status < 200 ? 0 : Number(headers.get('content-length'));
    const start = end + headEnd.length;
    this.#needed = start + length;
    if (bytes.length < this.#needed) return null;
    this.#keep(bytes.subarray(this.#needed));
    return { status, headers, body: bytes.subarray(start, start + length) };
  }
}

function splitLine(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
