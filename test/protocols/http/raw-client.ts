import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

const headEnd = Buffer.from('\r\n\r\n');

/** A client that says exactly the bytes it is told to, and takes answers apart by their Content-Length, their chunks or the end of the connection. */
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
    const start = end + headEnd.length;
    if (!bodiless && headers.get('transfer-encoding') === 'chunked')
      return this.#takeChunks(status, headers, bytes, start);
    const length = bodiless || status < 200 ? 0 : this.#length(headers, bytes.length - start);
    if (length < 0) return null;
    this.#needed = start + length;
    if (bytes.length < this.#needed) return null;
    this.#keep(bytes.subarray(this.#needed));
    return { status, headers, body: bytes.subarray(start, start + length) };
  }

  /** -1 = not known before the end of the connection, when all that came is the body. */
  #length(headers: RawAnswer['headers'], receivedBytes: number): number {
    const announced = headers.get('content-length');
    if (announced !== undefined) return Number(announced);
    return this.#isClosed ? receivedBytes : -1;
  }

  #takeChunks(status: number, headers: RawAnswer['headers'], bytes: Buffer, start: number): RawAnswer | null {
    const chunks: Buffer[] = [];
    for (let at = start; ; ) {
      const sizeEnd = bytes.indexOf('\r\n', at);
      if (sizeEnd < 0) return null;
      const size = Number.parseInt(bytes.toString('latin1', at, sizeEnd), 16);
      const dataEnd = sizeEnd + 2 + size;
      this.#needed = dataEnd + 2;
      if (bytes.length < this.#needed) return null;
      if (bytes.toString('latin1', dataEnd, dataEnd + 2) !== '\r\n') throw new Error('a chunk without its end');
      if (size === 0) {
        this.#keep(bytes.subarray(dataEnd + 2));
        return { status, headers, body: Buffer.concat(chunks) };
      }
      chunks.push(bytes.subarray(sizeEnd + 2, dataEnd));
      at = dataEnd + 2;
    }
  }
}

function splitLine(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
