import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { failureOf } from './failures.js';
import type { Failure, TlsSettings, WireTarget } from './wire.js';

/** The owner of a link. */
export interface LinkUser {
  onOpen(): void;
  /** `bytes[start, end)` is valid during the call. */
  onBytes(bytes: Buffer, start: number, end: number): void;
  /** Nothing comes any more, and nothing can be sent; called once at most, and never after `close`. */
  onGone(failure: Failure): void;
}

/** What one call of `onBytes` may bring over plain TCP. */
const READ_BYTES = 256 * 1024;

/** Of all links of this thread: what is read is worked off before anything else is read. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** A socket, plain or TLS, from its birth to its end: bytes in, bytes out, and why it is gone. */
export class Link {
  readonly #socket: Socket;
  readonly #user: LinkUser;
  #isGone = false;
  #error: Error | null = null;

  /** Connects at once. @param alpn '' = none; with TLS the server must agree to it */
  constructor(target: WireTarget, user: LinkUser, alpn = '') {
    this.#user = user;
    this.#socket = target.tls === null ? this.#connect(target) : this.#connectTls(target, target.tls, alpn);
    this.#socket.on('error', (error) => (this.#error ??= error));
    this.#socket.on('close', () => this.#end(this.#error === null ? CLOSED : failureOf(this.#error)));
  }

  /** Bytes that are given to it and not yet to the system; they must not be changed. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** What is written between the two goes out together. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  close(): void {
    this.#isGone = true;
    this.#socket.destroy();
  }

  #connect({ host, port }: WireTarget): Socket {
    const callback = (count: number, buffer: Uint8Array) => {
      if (!this.#isGone) this.#user.onBytes(buffer as Buffer, 0, count);
      return true;
    };
    const socket = connectTcp({ host, port, noDelay: true, onread: { buffer: readBuffer, callback } });
    return socket.once('connect', () => this.#open());
  }

  #connectTls({ host, port }: WireTarget, settings: TlsSettings, alpn: string): Socket {
    const socket = connectTls({ host, port, ...tlsOptions(host, settings, alpn) });
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      if (!this.#isGone) this.#user.onBytes(chunk, 0, chunk.length);
    });
    return socket.once('secureConnect', () => this.#openTls(socket, alpn));
  }

  #openTls(socket: TLSSocket, alpn: string): void {
    if (alpn === '' || socket.alpnProtocol === alpn) this.#open();
    else this.#end({ kind: 'connection failed', message: `the server does not agree to ${alpn} (ALPN of TLS)` });
  }

  #open(): void {
    if (!this.#isGone) this.#user.onOpen();
  }

  #end(failure: Failure): void {
    if (this.#isGone) return;
    this.close();
    this.#user.onGone(failure);
  }
}

const CLOSED: Failure = { kind: 'connection closed', message: 'the server closed the connection' };

function tlsOptions(host: string, settings: TlsSettings, alpn: string) {
  const given = (text: string) => (text === '' ? undefined : text);
  return {
    ca: given(settings.ca),
    cert: given(settings.certificate),
    key: given(settings.key),
    rejectUnauthorized: settings.verifiesPeer,
    ...(settings.verifiesHost ? {} : { checkServerIdentity: () => undefined }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(alpn === '' ? {} : { ALPNProtocols: [alpn] }),
  };
}
