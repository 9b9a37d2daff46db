import { once } from 'node:events';
import {
  constants,
  createSecureServer,
  createServer,
  type Http2Server,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

export type OnCall = (stream: ServerHttp2Stream, message: Buffer, nth: number) => void;

/** A server of gRPC on node:http2 (nghttp2), which is strict with clients; what it answers is written in the test. */
export class GrpcServer {
  readonly port: number;
  readonly sessions: ServerHttp2Session[] = [];
  readonly headers: Record<string, unknown>[] = [];
  /** Calls that were in work at a time. */
  busiest = 0;
  readonly errors: Error[] = [];
  /** When the head of a call has come. */
  onStream: (stream: ServerHttp2Stream) => void = () => {};
  readonly #server: Http2Server;
  #calls = 0;
  #busy = 0;

  private constructor(server: Http2Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(options: SecureServerOptions & object, onCall: OnCall, isSecure = false): Promise<GrpcServer> {
    const server = isSecure ? createSecureServer(options) : createServer(options);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const grpc = new GrpcServer(server as Http2Server);
    server.on('session', (session) => grpc.#onSession(session));
    server.on('stream', (stream, headers) => grpc.#onStream(stream, headers, onCall));
    return grpc;
  }

  async stop(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #onSession(session: ServerHttp2Session): void {
    this.sessions.push(session);
    session.on('error', (error) => this.errors.push(error));
  }

  #onStream(stream: ServerHttp2Stream, headers: Record<string, unknown>, onCall: OnCall): void {
    this.headers.push(headers);
    this.busiest = Math.max(this.busiest, ++this.#busy);
    stream.on('error', () => {});
    stream.on('close', () => this.#busy--);
    this.onStream(stream);
    const chunks: Buffer[] = [];
    const nth = this.#calls++;
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (!stream.headersSent) onCall(stream, Buffer.concat(chunks).subarray(5), nth);
    });
  }
}

export function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export const HEAD = { ':status': 200, 'content-type': 'application/grpc' };

/** A good answer. */
export function answer(stream: ServerHttp2Stream, message: Buffer, trailers: Record<string, string> = {}): void {
  stream.respond(HEAD, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', ...trailers }));
  stream.end(framed(message));
}

export function fail(stream: ServerHttp2Stream, status: number, message: string): void {
  stream.respond({ ...HEAD, 'grpc-status': String(status), 'grpc-message': message }, { endStream: true });
}

export { constants };
