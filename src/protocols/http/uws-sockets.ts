import type { HttpRequest, HttpResponse, us_socket_context_t, WebSocketBehavior } from 'uWebSockets.js';
import { Slab } from '../../transport/http1/slab.js';
import { joinedHeaders } from '../../transport/http1/upgrade.js';
import { WorkQueue } from '../../transport/work-queue.js';
import type { SocketHandler, SocketLimits } from '../web-socket.js';
import type { HttpHandler } from './engine.js';
import type { RequestHead } from './request-head.js';
import { asksForSocket } from './socket-handshake.js';
import { UwsSocket, type UwsSocketHost } from './uws-socket.js';

/** uWebSockets copies what this has into its own object of the connection. */
export interface UwsSocketData {
  readonly connection: UwsSocket;
}

/** The WebSockets of a listener. */
export class UwsSockets implements UwsSocketHost {
  readonly slab = new Slab();
  readonly work = new WorkQueue();
  readonly limits: SocketLimits;
  readonly #handler: SocketHandler;

  constructor(handler: SocketHandler) {
    this.limits = handler.limits;
    this.#handler = handler;
  }

  /** Bounds on what is unsent, pings and time-outs are those of whoever has the connection. */
  behavior(upgrade: NonNullable<WebSocketBehavior<UwsSocketData>['upgrade']>): WebSocketBehavior<UwsSocketData> {
    return {
      compression: 0,
      idleTimeout: 0,
      maxBackpressure: 0,
      maxPayloadLength: this.limits.maxMessageBytes,
      sendPingsAutomatically: false,
      upgrade,
      open: (webSocket) => webSocket.getUserData().connection.onOpen(webSocket),
      message: (webSocket, message, isBinary) => webSocket.getUserData().connection.onMessage(message, isBinary),
      drain: (webSocket) => webSocket.getUserData().connection.onDrain(),
      ping: (webSocket) => webSocket.getUserData().connection.onPing(),
      pong: (webSocket) => webSocket.getUserData().connection.onPong(),
      close: (webSocket) => webSocket.getUserData().connection.onClose(),
    };
  }

  /** Null = it is a WebSocket now; else who answers the request, undefined = whoever answers all others. */
  upgrade(
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
    head: RequestHead,
  ): HttpHandler | undefined | null {
    if (head.header('upgrade').toLowerCase() !== 'websocket') return undefined;
    const headers = joinedHeaders(head);
    const header = (name: string) => headers[name] ?? '';
    if (!asksForSocket(header)) return undefined;
    const decision = this.#handler.decide({ path: request.getUrl(), query: request.getQuery() ?? '', header });
    if (decision.kind === 'pass') return undefined;
    if (decision.kind === 'refuse') {
      const { status, headers, body } = decision;
      return (exchange) => exchange.reply(status, headers, body);
    }
    const connection = new UwsSocket(this, (socket) => decision.open(socket));
    response.upgrade({ connection }, header('sec-websocket-key'), decision.protocol, '', context);
    return null;
  }
}
