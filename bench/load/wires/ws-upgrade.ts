import { createHash, randomBytes } from 'node:crypto';
import { BadAnswer, errorText } from './failures.js';
import { HEAD_BYTES_MAX } from './http-answer-head.js';
import type { Failure, WireTarget } from './wire.js';

/** RFC 6455, 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const PROTOCOL = 'conch.v1';

/** The handshake of a WebSocket, seen from the client (RFC 6455, 4.1). */
export class Upgrade {
  readonly #key = randomBytes(16).toString('base64');
  #received: Buffer = Buffer.alloc(0);

  request({ host, port, path, headers }: WireTarget): Buffer {
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host.includes(':') ? `[${host}]` : host}:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${this.#key}`,
      `Sec-WebSocket-Protocol: ${PROTOCOL}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
    ];
    return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  }

  /**
   * Takes what the server sends.
   * @returns what follows its answer; null = the answer is not whole; a failure where it is no upgrade
   */
  receive(bytes: Buffer, start: number, end: number): Buffer | Failure | null {
    this.#received = Buffer.concat([this.#received, bytes.subarray(start, end)]);
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) {
      if (this.#received.length > HEAD_BYTES_MAX) throw new BadAnswer(`a head of more than ${HEAD_BYTES_MAX} bytes`);
      return null;
    }
    const head = this.#received.toString('latin1', 0, headEnd);
    const rest = this.#received.subarray(headEnd + 4);
    return this.#failureOf(head, rest) ?? rest;
  }

  #failureOf(head: string, body: Buffer): Failure | null {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
    if (status === undefined) throw new BadAnswer(`expected an answer of HTTP/1.1, found '${head.slice(0, 12)}'`);
    if (status !== '101') return { kind: `HTTP ${status}`, message: errorText(body.toString()) };
    const accept = /^sec-websocket-accept:\s*(\S+)\s*$/im.exec(head)?.[1];
    const expected = createHash('sha1').update(`${this.#key}${GUID}`).digest('base64');
    if (accept !== expected) throw new BadAnswer('the answer to the upgrade is one to another key');
    return null;
  }
}
