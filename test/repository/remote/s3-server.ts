import { rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

export const BUCKET = 'models';

// Not of interest to whoever reads the results of tests.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

/** Those of the one account that the server knows. */
export const keys: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: 'S3RVER',
  AWS_SECRET_ACCESS_KEY: 'S3RVER',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** What becomes of one answer on its way. */
export type Fault =
  /** So many bytes of the body, then the connection is closed, or nothing more comes. */
  | { readonly kind: 'cut' | 'stall'; readonly bytes: number }
  /** Another text instead of a listing. */
  | { readonly kind: 'text'; readonly edit: (text: string) => string };

/** A request of the server under test. `key` is '' for a listing. */
export interface S3Request {
  readonly key: string;
  readonly prefix: string;
  readonly range: string;
  /** The state of the object that is wanted; '' = any. */
  readonly ifMatch: string;
}

/** An S3 server that checks signatures, on a port of 127.0.0.1, with one bucket, and the faults that a test asks for. */
export class S3Server {
  /** What was read, in order. */
  readonly requests: S3Request[] = [];
  /** Asked before the store sees a request to read; null = it is answered as it is. */
  onRead: (request: S3Request) => Promise<Fault | null> | Fault | null = () => null;
  readonly #client: S3Client;
  readonly #directory: string;
  readonly #listener: RequestListener;
  #server: Server;

  private constructor(directory: string, listener: RequestListener, server: Server) {
    this.#directory = directory;
    this.#listener = listener;
    this.#server = server;
    this.#client = new S3Client({
      endpoint: `http://127.0.0.1:${this.port}`,
      forcePathStyle: true,
      region: 'us-east-1',
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    });
  }

  static async open(): Promise<S3Server> {
    const directory = await mkdtemp(join(tmpdir(), 'conch-s3-'));
    const configureBuckets = [{ name: BUCKET }];
    const store = new S3rver({ directory, silent: true, vhostBuckets: false, configureBuckets });
    // It forgets the slash behind the bucket when it computes the signature.
    store.middleware.splice(-1, 0, (context, next) => {
      if (/^\/[^/]+\/$/.test(context.path)) {
        context.state.vhost = true;
        context.mountPath = '/';
      }
      return next();
    });
    await store.configureBuckets();
    const server = createServer();
    await listen(server, 0);
    const opened = new S3Server(directory, store.callback(), server);
    server.on('request', opened.#answer);
    return opened;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = ''): string {
    return `s3://127.0.0.1:${this.port}/${BUCKET}${path === '' ? '' : `/${path}`}`;
  }

  async put(key: string, content: string | Buffer): Promise<void> {
    const Body = Buffer.from(content as string);
    await this.#client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body, ContentLength: Body.length }));
  }

  async delete(key: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
  }

  /** All files of a folder, below `prefix`. */
  async putFolder(folder: string, prefix: string): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      await this.put(`${prefix}${path.slice(folder.length)}`, await readFile(path));
    }
  }

  /** Keys of the objects that were read. */
  get downloads(): string[] {
    return this.requests.flatMap(({ key }) => (key === '' ? [] : [key])).sort();
  }

  /** Nobody listens at the port any more. */
  async goAway(): Promise<number> {
    const { port } = this;
    await shut(this.#server);
    return port;
  }

  async comeBack(port: number): Promise<void> {
    this.#server = createServer(this.#answer);
    await listen(this.#server, port);
  }

  async close(): Promise<void> {
    this.#client.destroy();
    if (this.#server.listening) await shut(this.#server);
    rmSync(this.#directory, { recursive: true });
  }

  readonly #answer = (request: IncomingMessage, response: ServerResponse): void => {
    void this.#answerLater(request, response);
  };

  async #answerLater(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      const { pathname, searchParams } = new URL(request.url!, 'http://a');
      const read = {
        key: decodeURIComponent(pathname.slice(`/${BUCKET}/`.length)),
        prefix: searchParams.get('prefix') ?? '',
        range: request.headers.range ?? '',
        ifMatch: request.headers['if-match'] ?? '',
      };
      this.requests.push(read);
      const fault = await this.onRead(read);
      if (fault !== null) spoil(response, fault);
    }
    this.#listener(request, response);
  }
}

function spoil(response: ServerResponse, fault: Fault): void {
  if (fault.kind === 'text') replace(response, fault.edit);
  else interrupt(response, fault.bytes, fault.kind === 'cut');
}

function interrupt(response: ServerResponse, bytes: number, cuts: boolean): void {
  let left = bytes;
  const write = response.write.bind(response) as (chunk: Buffer, sent: () => void) => boolean;
  const pass = (chunk: Buffer | string | undefined): void => {
    const passing = Buffer.from(chunk ?? '').subarray(0, left);
    left -= passing.length;
    response.flushHeaders();
    write(passing, () => left === 0 && cuts && response.socket?.destroy());
  };
  response.write = (chunk: Buffer) => {
    pass(chunk);
    return true;
  };
  response.end = ((chunk?: Buffer) => {
    pass(chunk);
    return response;
  }) as ServerResponse['end'];
}

function replace(response: ServerResponse, edit: (text: string) => string): void {
  const end = response.end.bind(response) as (chunk: string) => ServerResponse;
  response.end = ((chunk?: string) => {
    const text = edit(String(chunk ?? ''));
    response.setHeader('Content-Length', Buffer.byteLength(text));
    return end(text);
  }) as ServerResponse['end'];
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}

function shut(server: Server): Promise<unknown> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  return closed;
}
