import type { Socket } from 'node:net';
import type { Head } from './head.js';

/** Takes connections over that stop being HTTP (RFC 9110, 7.8). Its methods do not throw. */
export interface UpgradeTaker {
  /** Whether it takes the connection of this request, to speak `protocol` on it. `head` is valid during the call. */
  wants(head: Head, protocol: string): boolean;
  /**
   * Everything before `request` is answered and written: `socket` is the taker's, an ordinary one, half-open as those of `node:http`,
   * which nobody has listened to yet. The answer to `request` is the taker's, too. `rest` are the bytes that came behind the head.
   */
  take(request: UpgradeRequest, socket: Socket, rest: Buffer): void;
  /** The server stops. It does not wait for `socket`, and destroys it when it closes. */
  onDrain(socket: Socket): void;
}

/** What takers written for `node:http` read of its `IncomingMessage`. */
export interface UpgradeRequest {
  readonly method: string;
  /** The target as sent, with its query. */
  readonly url: string;
  readonly httpVersion: string;
  /** By lower-case name. Those that came several times are joined. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Only GET without a body, as RFC 6455, 4.1, has it: no protocol needs more, and no taker has to read a body. */
export function isWanted(head: Head, taker: UpgradeTaker): boolean {
  if (head.method !== 'GET' || head.contentLength !== 0) return false;
  return head.upgrades.some((protocol) => taker.wants(head, protocol));
}

export function upgradeRequest(head: Head): UpgradeRequest {
  return { method: head.method, url: head.target, httpVersion: '1.1', headers: joinedHeaders(head) };
}

/** By lower-case name. Those that came several times are one list (RFC 9110, 5.3; of cookies RFC 6265, 5.4). */
export function joinedHeaders(head: Pick<Head, 'each'>): Readonly<Record<string, string>> {
  // Without a prototype: clients choose the names.
  const headers: Record<string, string> = Object.create(null);
  head.each((name, value) => {
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  });
  return headers;
}
