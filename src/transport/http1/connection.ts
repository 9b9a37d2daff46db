import type { Socket } from 'node:net';
import { assert } from '../../base/assert.js';
import { receive, release } from '../receive.js';
import type { AnswerBody } from './answer-body.js';
import { Answers } from './answers.js';
import type { ConnectionHost } from './connection-host.js';
import { FinalAnswer, type Http1Exchange } from './exchange.js';
import type { Head } from './head.js';
import type { Persistence } from './head-writer.js';
import { bodyTooSlow, type Refusal } from './refusal.js';
import { RequestParser } from './request-parser.js';
import { isWanted, type UpgradeRequest, upgradeRequest } from './upgrade.js';

/** Requests of one connection that are worked on; no more are read before one of them is answered. */
const PIPELINED_MAX = 64;

/** Requests of one connection that are taken up in a row; then it is the turn of the others, however many have come in one piece. */
const REQUESTS_PER_TURN = 64;

/** Answers put together before they are written, where many requests come in one chunk. */
const UNWRITTEN_BYTES_MAX = 256 * 1024;

/** How long a client may still read its last answer, and we drop what it sends: a socket closed with unread bytes is reset and takes the answer with it (RFC 9112, 9.6). */
const LINGER_MS = 1000;

const nothing = Buffer.alloc(0);

/**
 * open: requests are read. upgrading: no more of them, and when those before are answered, it is handed over; what comes in waits in the
 * socket. upgraded: the socket is the taker's. finishing: no more requests, but answers are to come; what comes in is dropped.
 * lingering: everything was written, and our half is closed. closed: so is the socket.
 */
type State = 'open' | 'upgrading' | 'upgraded' | 'finishing' | 'lingering' | 'closed';

const nextStates: Readonly<Record<State, readonly State[]>> = {
  open: ['upgrading', 'finishing', 'closed'],
  upgrading: ['upgraded', 'finishing', 'closed'],
  upgraded: ['closed'],
  finishing: ['lingering', 'closed'],
  lingering: ['closed'],
  closed: [],
};

/** A socket, the requests on it and their answers. The accepted one must allow half-open connections, and be paused or of TLS. */
export class Http1Connection {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #parser: RequestParser;
  readonly #answers: Answers;
  #state: State = 'open';
  /** Its body is being read. */
  #reading: Http1Exchange | null = null;
  /** While it is upgrading: what the taker gets. */
  #upgrade: { readonly request: UpgradeRequest; readonly rest: Buffer } | null = null;
  #isBusy = false;
  /** Requests taken up in this turn. */
  #taken = 0;
  /** It has had its turn, and waits for the next. */
  #isTurnOver = false;
  #isWorking = false;
  #isScheduled = false;
  #isPaused = false;
  /** The kernel has not taken all we have written. */
  #isBlocked = false;
  /** When it last became quiet, or its client took something, or it began to linger. */
  #sinceMs: number;
  /** When the head or body began that is coming in; 0 = none is. */
  #insideSinceMs = 0;

  constructor(accepted: Socket, host: ConnectionHost) {
    this.#host = host;
    this.#parser = new RequestParser(host.limits);
    this.#answers = new Answers(host.slab, host.heads);
    this.#sinceMs = host.nowMs;
    const socket = receive(accepted, host.readBuffer, this.#onBytes);
    this.#socket = socket;
    socket.on('end', this.#onEnd);
    // Stays when it is handed over: a taker that takes its time must not bring the process down.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClose());
  }

  /** Of the request that came last. */
  get head(): Head {
    return this.#parser.head;
  }

  /** What the answer to `exchange` has to say of the connection. @param keepAlive requests may follow on it */
  persistence(exchange: Http1Exchange, keepAlive: boolean, minorVersion: number): Persistence {
    if (!keepAlive || (this.#host.isDraining && this.#answers.isLast(exchange))) return 'close';
    return minorVersion === 0 ? 'keep-alive' : 'implied';
  }

  /** The head is prepared in `host.heads`; `body` is copied. */
  reply(exchange: Http1Exchange, body: Uint8Array, persistence: Persistence): void {
    if (persistence === 'close') this.#finish();
    this.#answers.reply(exchange, body);
    this.#workSoon();
  }

  /** The head is prepared in `host.heads`; `body` is not copied. */
  send(exchange: Http1Exchange, body: AnswerBody, persistence: Persistence): void {
    if (persistence === 'close') this.#finish();
    this.#answers.send(exchange, body);
    this.#workSoon();
  }

  /** There is more of a body that was given to `send`. */
  goOn(): void {
    this.#workSoon();
  }

  /** Says 100 Continue, unless the client did not wait for it (RFC 9110, 10.1.1). */
  askForBody(exchange: Http1Exchange): void {
    if (this.#parser.hasInput) return;
    this.#answers.askForBody(exchange);
    this.#workSoon();
  }

  /** Answers in the place of the request that is coming in, or of the first, and closes. */
  refuse(refusal: Refusal): void {
    const reading = this.#reading;
    this.#reading = null;
    if (reading !== null) {
      reading.onRefused(refusal);
    } else {
      const hasBody = this.#parser.head.method !== 'HEAD';
      this.#add(new FinalAnswer(this.#host.refusalAnswer(refusal, hasBody)));
    }
    this.#finish();
    this.#workSoon();
  }

  /** Writes what is ready, and reads on where there is room for answers. */
  work(): void {
    this.#isScheduled = false;
    this.#isWorking = true;
    do {
      while (this.#mayRead() && this.#step());
      this.#write();
    } while (this.#parser.hasInput && this.#mayRead());
    this.#isWorking = false;
    this.#endTurn();
    this.#pause(this.#state === 'open' && this.#parser.hasInput);
    this.#noteInside();
    this.#settle();
  }

  /** Nothing keeps it: closes where it is between two requests. */
  drain(): void {
    if (this.#state === 'upgraded') this.#host.upgradeTaker!.onDrain(this.#socket);
    else this.#settle();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Looks whether something takes too long. */
  check(nowMs: number): void {
    const { idleTimeoutMs, bodyTimeoutMs } = this.#host.limits;
    const waitedMs = nowMs - this.#sinceMs;
    if (this.#state === 'upgraded') return;
    if (this.#state === 'lingering') {
      if (waitedMs > LINGER_MS) this.#socket.destroy();
    } else if (this.#isBlocked) {
      if (idleTimeoutMs > 0 && waitedMs > idleTimeoutMs) this.#socket.destroy();
    } else if (this.#insideSinceMs > 0) {
      if (bodyTimeoutMs > 0 && nowMs - this.#insideSinceMs > bodyTimeoutMs) this.refuse(bodyTooSlow(bodyTimeoutMs));
    } else if (!this.#isBusy && idleTimeoutMs > 0 && waitedMs > idleTimeoutMs) {
      this.#hangUp();
    }
  }

  readonly #onBytes = (bytes: Buffer, end: number): void => {
    if (this.#state !== 'open') return;
    this.#parser.push(bytes, end);
    this.#taken = 0;
    this.work();
    if (this.#parser.hasInput) this.#parser.keep();
  };

  /** In the middle of a body: always, for what its sink takes is bounded. Between two requests: where there is room for one more answer. */
  #mayRead(): boolean {
    if (this.#state !== 'open') return false;
    if (this.#reading !== null) return true;
    const { open, bytes } = this.#answers;
    if (this.#isBlocked || bytes > UNWRITTEN_BYTES_MAX || this.#taken >= REQUESTS_PER_TURN) return false;
    return open === 0 || (open < PIPELINED_MAX && !this.#host.isDraining);
  }

  #endTurn(): void {
    if (this.#taken < REQUESTS_PER_TURN || !this.#parser.hasInput || this.#isTurnOver) return;
    this.#isTurnOver = true;
    setImmediate(() => {
      this.#isTurnOver = false;
      this.#taken = 0;
      if (this.#state !== 'closed') this.work();
    });
  }

  /** False = no more can be read now. */
  #step(): boolean {
    switch (this.#parser.next()) {
      case 'head':
        this.#onHead();
        return true;
      case 'body':
        this.#reading!.onBody(this.#parser.body, false);
        return true;
      case 'end':
        this.#reading!.onBody(this.#parser.body, true);
        this.#afterRequest();
        return true;
      case 'refused':
        this.refuse(this.#parser.refusal!);
        return false;
      default:
        return false;
    }
  }

  #onHead(): void {
    this.#taken++;
    if (this.#parser.head.upgrades.length > 0 && this.#beginUpgrade()) return;
    const hasBody = this.#parser.head.contentLength !== 0;
    const exchange = this.#host.accept(this);
    if (hasBody) this.#reading = exchange;
    this.#insideSinceMs = 0;
    this.#add(exchange);
    exchange.run();
    if (!hasBody) this.#afterRequest();
  }

  /** False = nobody takes it: the request is one as any other (RFC 9110, 7.8). */
  #beginUpgrade(): boolean {
    const { upgradeTaker, isDraining } = this.#host;
    const { head } = this.#parser;
    if (upgradeTaker === null || isDraining || !isWanted(head, upgradeTaker)) return false;
    this.#transition('upgrading');
    this.#insideSinceMs = 0;
    const request = upgradeRequest(head);
    this.#upgrade = { request, rest: this.#parser.takeRest() };
    this.#pause(false);
    release(this.#socket);
    return true;
  }

  #handOver(): void {
    const { request, rest } = this.#upgrade!;
    this.#upgrade = null;
    this.#transition('upgraded');
    this.#socket.off('end', this.#onEnd);
    this.#host.upgradeTaker!.take(request, this.#socket, rest);
  }

  /** Behind a request that is the last by its own words nothing is read (RFC 9112, 9.6). */
  #afterRequest(): void {
    this.#reading = null;
    this.#insideSinceMs = 0;
    if (!this.#parser.head.keepAlive) this.#finish();
  }

  #add(exchange: Http1Exchange): void {
    this.#answers.add(exchange);
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#host.onBusy();
  }

  #workSoon(): void {
    if (this.#isWorking || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#host.workSoon(this);
  }

  #write(): void {
    while (!this.#isBlocked && !this.#socket.destroyed && this.#answers.fill()) {
      this.#answers.writeTo(this.#socket);
      if (this.#socket.writableLength > 0) this.#block();
    }
  }

  #block(): void {
    this.#isBlocked = true;
    this.#sinceMs = this.#host.nowMs;
    // Called back when everything before it is written; 'drain' would not come for less than the high-water mark.
    this.#socket.write(nothing, this.#onWritten);
  }

  readonly #onWritten = (): void => {
    this.#isBlocked = false;
    this.#sinceMs = this.#host.nowMs;
    if (this.#state !== 'closed') this.work();
  };

  #pause(should: boolean): void {
    if (should === this.#isPaused) return;
    this.#isPaused = should;
    if (should) this.#socket.pause();
    else this.#socket.resume();
  }

  #noteInside(): void {
    if (this.#isPaused || this.#state !== 'open' || !this.#parser.isInside) this.#insideSinceMs = 0;
    else if (this.#insideSinceMs === 0) this.#insideSinceMs = this.#host.nowMs;
  }

  /** Where everything is answered and written. */
  #settle(): void {
    if (this.#answers.open > 0 || this.#answers.bytes > 0 || this.#isBlocked || this.#isTurnOver) return;
    if (this.#state === 'finishing' || (this.#host.isDraining && !this.#parser.isInside)) this.#hangUp();
    if (this.#isBusy) {
      this.#isBusy = false;
      if (this.#state === 'open') this.#sinceMs = this.#host.nowMs;
      this.#host.onQuiet();
    }
    if (this.#state === 'upgrading') this.#handOver();
  }

  /** No more requests are read. */
  #finish(): void {
    if (this.#state !== 'open' && this.#state !== 'upgrading') return;
    // What waits in it is for nobody.
    if (this.#state === 'upgrading') this.#socket.resume();
    this.#transition('finishing');
    this.#insideSinceMs = 0;
  }

  #hangUp(): void {
    this.#finish();
    if (this.#state !== 'finishing') return;
    this.#transition('lingering');
    this.#sinceMs = this.#host.nowMs;
    this.#socket.end();
    this.#pause(false);
  }

  /**
   * The client sends no more. It has most likely gone, as one that was killed has: what it waits for is given up, as other servers
   * do. An answer that is known to its end and under way is still written.
   */
  readonly #onEnd = (): void => {
    if (this.#state === 'lingering') {
      this.#socket.destroy();
      return;
    }
    this.#finish();
    this.#reading = null;
    this.#answers.abort(true);
    this.work();
  };

  #onClose(): void {
    this.#transition('closed');
    this.#reading = null;
    this.#answers.abort(false);
    if (this.#isBusy) this.#host.onQuiet();
    this.#isBusy = false;
    this.#host.onClosed(this);
  }

  #transition(to: State): void {
    assert(nextStates[this.#state].includes(to), `connection: no way from ${this.#state} to ${to}`);
    this.#state = to;
  }
}
