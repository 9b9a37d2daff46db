import type { PreparedRequest } from '../encode/prepared-request.js';
import { failureOf, isOfTheServer } from './failures.js';
import { Link, type LinkUser } from './link.js';
import type { Answer, Failure, Wire, WireTarget, WireUser } from './wire.js';

/** A time-out is noticed late by an interval at most; so many intervals are in it. */
const INTERVALS_PER_TIMEOUT = 8;

const NO_BYTES = Buffer.alloc(0);

/**
 * What all wires over sockets have in common: which slots are busy, the life of the connection, time-outs, and that each request has
 * exactly one final answer. What is sent while there is no connection waits for the next one.
 */
export abstract class SocketWire implements Wire, LinkUser {
  protected readonly target: WireTarget;
  /** Filled before `deliver`; one object for all answers. */
  protected readonly answer: Answer = {
    isFinal: true,
    isEmpty: false,
    failure: null,
    firstByteMs: 0,
    bytes: NO_BYTES,
    start: 0,
    end: 0,
    jsonBytes: -1,
  };
  protected link: Link | null = null;
  readonly #user: WireUser;
  /** By slot; null = it is free. */
  readonly #requests: (PreparedRequest | null)[];
  readonly #sequenceIds: number[];
  /** By slot: the interval in which it was sent or last answered. */
  readonly #sentAt: number[];
  #interval = 0;
  /** Until it is ready one that runs out; then one that ticks. */
  #timer: NodeJS.Timeout | null = null;
  #isReady = false;
  #isClosed = false;
  /** Of `open`, while it waits. */
  #opening: { readonly resolve: () => void; readonly reject: (error: Error) => void } | null = null;

  constructor(target: WireTarget, user: WireUser) {
    this.target = target;
    this.#user = user;
    this.#requests = new Array(target.slots).fill(null);
    this.#sequenceIds = new Array(target.slots).fill(0);
    this.#sentAt = new Array(target.slots).fill(0);
  }

  open(): Promise<void> {
    this.#isClosed = false;
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      this.connect();
    });
  }

  send(slot: number, request: PreparedRequest, sequenceId: number): void {
    this.#requests[slot] = request;
    this.#sequenceIds[slot] = sequenceId;
    this.#sentAt[slot] = this.#interval;
    if (this.#isReady) this.transmit(slot, request, sequenceId);
  }

  close(): void {
    this.#isClosed = true;
    this.disconnect();
    this.#opening?.reject(new Error('closed before it was open'));
    this.#opening = null;
    this.#requests.fill(null);
  }

  /** Once the link is up: what has to be done before requests can be sent; then `becomeReady`. */
  abstract onOpen(): void;
  protected abstract receive(bytes: Buffer, start: number, end: number): void;
  protected abstract transmit(slot: number, request: PreparedRequest, sequenceId: number): void;

  onBytes(bytes: Buffer, start: number, end: number): void {
    try {
      this.receive(bytes, start, end);
    } catch (error) {
      if (!isOfTheServer(error)) throw error;
      this.fail(failureOf(error));
    }
  }

  onGone(failure: Failure): void {
    this.fail(failure);
  }

  /** A link of its own, in place of one that there may be. */
  protected connect(): void {
    this.disconnect();
    this.link = this.createLink();
    const late: Failure = { kind: 'timeout', message: `not connected within ${this.target.timeoutMs} ms` };
    this.#timer = setTimeout(() => this.fail(late), this.target.timeoutMs);
  }

  protected createLink(): Link {
    return new Link(this.target, this);
  }

  protected becomeReady(): void {
    this.#isReady = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setInterval(() => this.#onInterval(), this.target.timeoutMs / INTERVALS_PER_TIMEOUT);
    this.#opening?.resolve();
    this.#opening = null;
    this.#transmitWaiting();
  }

  protected isBusy(slot: number): boolean {
    return this.#requests[slot] !== null;
  }

  /** Of a busy slot. */
  protected requestIn(slot: number): PreparedRequest {
    return this.#requests[slot]!;
  }

  protected sequenceIdIn(slot: number): number {
    return this.#sequenceIds[slot]!;
  }

  /** The slot is free before the user hears of it. */
  protected deliver(slot: number): void {
    if (this.answer.isFinal) this.#requests[slot] = null;
    else this.#sentAt[slot] = this.#interval;
    this.#user.onAnswer(slot, this.answer);
  }

  protected setFailure(failure: Failure): void {
    const { answer } = this;
    answer.isFinal = true;
    answer.isEmpty = false;
    answer.failure = failure;
    answer.bytes = NO_BYTES;
    answer.start = 0;
    answer.end = 0;
    answer.jsonBytes = -1;
  }

  /** The connection is of no more use: its requests fail. Those that the user sends meanwhile wait for the next connection. */
  protected fail(failure: Failure): void {
    this.disconnect();
    const opening = this.#opening;
    if (opening !== null) {
      this.#opening = null;
      opening.reject(this.#openError(failure));
      return;
    }
    const inFlight = this.#requests.map((request, slot) => (request === null ? -1 : slot)).filter((slot) => slot >= 0);
    for (const slot of inFlight) {
      this.setFailure(failure);
      this.answer.firstByteMs = performance.now();
      this.deliver(slot);
      if (this.#isClosed) return;
    }
    this.#user.onClosed(failure);
  }

  protected disconnect(): void {
    this.#isReady = false;
    this.link?.close();
    this.link = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #openError({ kind, message }: Failure): Error {
    const { protocol, host, port } = this.target;
    return new Error(`cannot connect to ${host}:${port} (${protocol}): ${kind}: ${message}`);
  }

  #transmitWaiting(): void {
    for (let slot = 0; slot < this.#requests.length; slot++) {
      const request = this.#requests[slot]!;
      if (request === null) continue;
      this.#sentAt[slot] = this.#interval;
      this.transmit(slot, request, this.#sequenceIds[slot]!);
    }
  }

  #onInterval(): void {
    const overdue = this.#interval++ - INTERVALS_PER_TIMEOUT;
    const isOverdue = this.#requests.some((request, slot) => request !== null && this.#sentAt[slot]! <= overdue);
    if (!isOverdue) return;
    const message = `a request of this connection had no answer for ${this.target.timeoutMs} ms`;
    this.fail({ kind: 'timeout', message });
  }
}
