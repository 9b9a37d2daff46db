import { isHost } from './framing.js';
import { doubt, type Refusal, refusal } from './refusal.js';

/** A request target taken apart. */
export interface Target {
  /** As sent, without the query; `/` for an absolute form without one; `*` of OPTIONS. */
  readonly path: string;
  /** Of the absolute form; it counts instead of the Host header (RFC 9112, 3.2.2). '' = none. */
  readonly authority: string;
}

const absoluteForm = /^https?:\/\/([^/?]*)([^?]*)/i;

/** The forms of RFC 9112, 3.2, but for the usual one that begins with `/`. The bytes of `target` have been looked at. */
export function readTarget(method: string, target: string): Target | Refusal {
  if (method === 'CONNECT') return refusal(501, 'CONNECT is not supported: this server is no proxy');
  if (target === '*') {
    return method === 'OPTIONS' ? { path: '*', authority: '' } : doubt("the target '*' belongs to OPTIONS");
  }
  const [, authority, path] = absoluteForm.exec(target) ?? [];
  if (authority === undefined) return doubt('the request target begins with neither / nor http://');
  if (!isHost(authority) || authority === '' || authority.startsWith(':')) {
    // Also a user before an @ (RFC 9110, 4.2.4).
    return doubt(`the authority of a request target is a host with or without a port, found '${authority}'`);
  }
  return { path: path === '' ? '/' : path!, authority };
}
