import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { headText } from '../../transport/http1/answer-head.js';
import type { Head } from '../../transport/http1/head.js';
import type { Slab } from '../../transport/http1/slab.js';
import { joinedHeaders, type UpgradeRequest, type UpgradeTaker } from '../../transport/http1/upgrade.js';
import { WorkQueue } from '../../transport/work-queue.js';
import type { SocketDecision, SocketHandler, SocketLimits } from '../web-socket.js';
import type { HttpExchange } from './engine.js';
import { NetSocket, type NetSocketHost } from './net-socket.js';
import { asksForSocket } from './socket-handshake.js';

/** How long a client may take to agree to a close. */
const CLOSE_TIMEOUT_MS = 2000;

const pass: SocketDecision = { kind: 'pass' };

/** The WebSockets of a listener: takes connections over from HTTP and hands them to the package ws. */
export class NetSockets implements UpgradeTaker, NetSocketHost {
  readonly slab: Slab;
  readonly work = new WorkQueue();
  readonly limits: SocketLimits;
  readonly #handler: SocketHandler;
  readonly #server: WebSocketServer;
  /** For the request that is about to be handed to the handler of HTTP. */
  #refusal: SocketDecision = pass;
  /** What `take` is doing; the package asks for it. */
  #protocol = '';

  constructor(handler: SocketHandler, slab: Slab) {
    this.slab = slab;
    this.limits = handler.limits;
    this.#handler = handler;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: handler.limits.maxMessageBytes,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: () => this.#protocol || false,
    } as ConstructorParameters<typeof WebSocketServer>[0]);
  }

  wants(head: Head, protocol: string): boolean {
    if (protocol !== 'websocket') return false;
    const headers = joinedHeaders(head);
    const header = (name: string) => headers[name] ?? '';
    if (!asksForSocket(header)) return false;
    const decision = this.#handler.decide({ path: head.path, query: queryOf(head.target), header });
    if (decision.kind === 'refuse') this.#refusal = decision;
    return decision.kind === 'accept';
  }

  /** Answers a request whose upgrade was refused; false = it is one as any other. */
  refuse(exchange: HttpExchange): boolean {
    const refusal = this.#refusal;
    if (refusal.kind !== 'refuse') return false;
    this.#refusal = pass;
    exchange.reply(refusal.status, refusal.headers, refusal.body);
    return true;
  }

  take(request: UpgradeRequest, socket: Socket, rest: Buffer): void {
    const [path, query = ''] = split(request.url);
    const { headers } = request;
    // Asked again: much may have happened while answers before it were sent.
    const decision = this.#handler.decide({ path, query, header: (name) => headers[name] ?? '' });
    if (decision.kind !== 'accept') {
      refuseLate(socket, decision);
      return;
    }
    this.#protocol = decision.protocol;
    this.#server.handleUpgrade(handshake(request, decision.protocol), socket, rest, (webSocket) => {
      const connection = new NetSocket(webSocket, socket, this);
      connection.start(decision.open(connection));
    });
  }

  /** Whoever has the connection closes it. */
  onDrain(): void {}
}

/**
 * What the package reads of a request, with all that was decided: it refuses lists that RFC 9110, 5.6.1.2, has readers accept, and
 * its refusals are HTML.
 */
function handshake(request: UpgradeRequest, protocol: string): IncomingMessage {
  const headers: Record<string, string> = { ...request.headers, upgrade: 'websocket' };
  if (protocol === '') delete headers['sec-websocket-protocol'];
  else headers['sec-websocket-protocol'] = protocol;
  return { ...request, headers } as unknown as IncomingMessage;
}

/** The connection is none of HTTP any more: it ends behind this answer. */
function refuseLate(socket: Socket, decision: Exclude<SocketDecision, { kind: 'accept' }>): void {
  if (decision.kind === 'pass') {
    socket.destroy();
    return;
  }
  const { status, body } = decision;
  const closing = ['Date', new Date().toUTCString(), 'Content-Length', String(body.length), 'Connection', 'close'];
  const head = headText(status, [...decision.headers, ...closing]);
  // Closed with unread bytes it would be reset, and the answer lost.
  socket.resume();
  socket.once('finish', () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${head}\r\n\r\n`), body]));
}

function queryOf(target: string): string {
  return split(target)[1] ?? '';
}

/** The target before and behind its question mark. */
function split(target: string): [string, string?] {
  const at = target.indexOf('?');
  return at < 0 ? [target] : [target.slice(0, at), target.slice(at + 1)];
}
