import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2, type SecureClientSessionOptions } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.js';
import { encodeFields } from '../../../src/transport/http2/hpack/encoder.js';
import { defaultOptions, type ListenOptions } from '../../../src/transport/http2/options.js';
import { type Http2Listener, listenHttp2 } from '../../../src/transport/http2/server.js';
import type { Http2Stream, OnStream, StreamHandler } from '../../../src/transport/http2/stream.js';
import { FrameLog, preface, type ReadFrame, settings, settingsAck } from './frames.js';

export const grpcFields = encodeFields([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
export const grpcTrailers = encodeFields([['grpc-status', '0']]);

/** Echoes a body when it is whole, by view. */
export class Echo implements StreamHandler {
  readonly #parts: Buffer[] = [];
  readonly events: string[];

  constructor(events: string[] = []) {
    this.events = events;
  }

  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
    stream.consume(end - start);
  }

  onEnd(stream: Http2Stream): void {
    stream.respond(grpcFields);
    stream.writeView(Buffer.concat(this.#parts), { release: () => this.events.push('released') });
    stream.end(grpcTrailers);
  }

  onReset(_stream: Http2Stream, code: number): void {
    this.events.push(`reset ${code}`);
  }

  onDrain(): void {}
}

export type EchoOptions = Partial<Omit<ListenOptions, 'timeouts' | 'limits'>> & {
  readonly timeouts?: Partial<ListenOptions['timeouts']>;
  readonly limits?: Partial<ListenOptions['limits']>;
};

/** A listener on a free port; time-outs are off but for those given. */
export function serve(options: EchoOptions = {}, onStream: OnStream = () => new Echo()): Promise<Http2Listener> {
  const off = Object.fromEntries(Object.keys(defaultOptions.timeouts).map((name) => [name, 0]));
  const timeouts = { ...defaultOptions.timeouts, ...off, ...options.timeouts };
  const limits = { ...defaultOptions.limits, ...options.limits };
  return listenHttp2({ ...defaultOptions, log: silentLog, ...options, timeouts, limits }, onStream);
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly grpcStatus: string | undefined;
}

/** One call with the client of Node. */
export function call(session: ClientHttp2Session, body: Buffer, path = '/echo'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      te: 'trailers',
      'content-type': 'application/grpc',
    });
    const parts: Buffer[] = [];
    let status = 0;
    let grpcStatus: string | undefined;
    stream.on('response', (fields) => {
      status = Number(fields[':status']);
    });
    stream.on('trailers', (fields) => {
      grpcStatus = fields['grpc-status'] as string;
    });
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => resolve({ status, body: Buffer.concat(parts), grpcStatus }));
    stream.on('error', reject);
    stream.end(body);
  });
}

export function client(port: number, options?: SecureClientSessionOptions): ClientHttp2Session {
  const session = connectHttp2(`${options === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, options);
  session.on('error', () => {});
  return session;
}

/** A client that says what it wants, byte by byte. */
export class RawClient {
  readonly socket: Socket;
  readonly frames: ReadFrame[] = [];
  readonly #log = new FrameLog();
  #isClosed = false;
  #wake: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => {
      this.frames.push(...this.#log.read(chunk));
      this.#look();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.#isClosed = true;
      this.#look();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  open(...pairs: [number, number][]): void {
    this.send(preface, settings(...pairs), settingsAck);
  }

  /** Resolves when there is such a frame, with the first; rejects when the connection closes without. */
  async frame(test: (frame: ReadFrame) => boolean): Promise<ReadFrame> {
    for (;;) {
      const found = this.frames.find(test);
      if (found !== undefined) return found;
      if (this.#isClosed) throw new Error('the connection closed');
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async closed(): Promise<void> {
    while (!this.#isClosed) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #look(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

/** A certificate for 127.0.0.1, signed by itself. */
export function certificate(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'conch-tls-'));
  const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...request, ...subject, '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  const pair = { key: readFileSync(files.key), cert: readFileSync(files.cert) };
  rmSync(folder, { recursive: true });
  return pair;
}
