import { Http2Client, type Http2User } from './http2/client.js';
import { RequestHead } from './http2/request-head.js';
import { Link } from './link.js';
import { SocketWire } from './socket-wire.js';
import { TurnWriter } from './turn-writer.js';
import type { Failure, WireTarget } from './wire.js';

/** What the wires of gRPC have in common. */
export abstract class Http2Wire extends SocketWire implements Http2User {
  /** `performance.now()` of what is being read. */
  protected nowMs = 0;
  protected client: Http2Client | null = null;
  /** The path of the method. */
  protected abstract readonly path: string;
  protected firstStreamId = 1;

  override onOpen(): void {
    const head = new RequestHead(requestFields(this.target, this.path));
    this.client = new Http2Client(new TurnWriter(this.link!), head, this, this.firstStreamId);
  }

  abstract onSettings(isFirst: boolean): void;
  abstract onDrained(): void;

  onFailed(failure: Failure): void {
    this.fail(failure);
  }

  protected override receive(bytes: Buffer, start: number, end: number): void {
    this.nowMs = performance.now();
    this.client!.receive(bytes, start, end);
  }

  protected override createLink(): Link {
    return new Link(this.target, this, 'h2');
  }

  protected override disconnect(): void {
    super.disconnect();
    this.client?.stop();
    this.client = null;
  }
}

function requestFields({ host, port, tls, headers }: WireTarget, path: string): (readonly [string, string])[] {
  return [
    [':method', 'POST'],
    [':scheme', tls === null ? 'http' : 'https'],
    [':path', path],
    [':authority', `${host.includes(':') ? `[${host}]` : host}:${port}`],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ...headers,
  ];
}
