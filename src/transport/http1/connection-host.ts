import type { Http1Connection } from './connection.js';
import type { Http1Exchange } from './exchange.js';
import type { HeadWriter } from './head-writer.js';
import type { RequestLimits } from './limits.js';
import type { Refusal } from './refusal.js';
import type { Slab } from './slab.js';
import type { UpgradeTaker } from './upgrade.js';

export interface ConnectionLimits extends RequestLimits {
  /** Without a request, or without any progress of an answer; 0 = for ever. */
  readonly idleTimeoutMs: number;
  /** For a head, and for a body; 0 = for ever. */
  readonly bodyTimeoutMs: number;
}

/** What a connection needs of the server it belongs to, which all its connections share. */
export interface ConnectionHost {
  readonly limits: ConnectionLimits;
  readonly slab: Slab;
  readonly heads: HeadWriter;
  /** What comes in is read into it; nothing stays there. */
  readonly readBuffer: Buffer;
  /** Of a clock that needs to move only as often as `check` is called. */
  readonly nowMs: number;
  readonly isDraining: boolean;
  /** Null = every request is answered as if it asked for no upgrade. */
  readonly upgradeTaker: UpgradeTaker | null;
  /** A request has come: its head is in `connection.head`. */
  accept(connection: Http1Connection): Http1Exchange;
  /** A whole answer that closes the connection. */
  refusalAnswer(refusal: Refusal, hasBody: boolean): Uint8Array;
  /** Calls `work` before the next event of any socket, once for all answers that come until then. */
  workSoon(connection: Http1Connection): void;
  /** Has something to answer or to write. */
  onBusy(): void;
  /** Has nothing any more; once for each `onBusy`. */
  onQuiet(): void;
  onClosed(connection: Http1Connection): void;
}
