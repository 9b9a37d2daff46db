import type { Failure, Wire, WireUser } from '../wires/wire.js';
import { Lane, type LaneUser, type Place } from './lane.js';

/** As `Failure.kind`: an attempt to connect, and no request. */
export const NO_CONNECTION = 'no connection';

const FIRST_RETRY_MS = 10;
const LONGEST_RETRY_MS = 1000;
/** Connections are opened so many at a time: more would overflow the listen queue of a server. */
const OPENED_AT_ONCE = 64;

export interface LanesUser extends LaneUser {
  /** These places can be used from now on. */
  onPlaces(places: readonly Place[]): void;
  /** A connection could not be made; it is tried again. */
  onRefused(failure: Failure): void;
}

/** The connections of a generator: opened as they are needed, and again when they are lost, slower each time. */
export class Lanes {
  readonly #makeWire: (user: WireUser) => Wire;
  readonly #slots: number;
  readonly #user: LanesUser;
  readonly #lanes: Lane[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #lastLostMs = 0;
  #isClosed = false;

  constructor(makeWire: (user: WireUser) => Wire, slots: number, user: LanesUser) {
    this.#makeWire = makeWire;
    this.#slots = slots;
    this.#user = user;
  }

  /** For how long there has been no connection at all; 0 = there is one. */
  get downMs(): number {
    if (this.#lanes.some(({ isOpen }) => isOpen)) return 0;
    return performance.now() - this.#lastLostMs;
  }

  get placeCount(): number {
    return this.#lanes.length * this.#slots;
  }

  /** Resolves when there are so many places, all of them open. Rejects for the first connection that cannot be made. */
  async provide(places: number): Promise<void> {
    while (this.placeCount < places) {
      const missing = Math.ceil((places - this.placeCount) / this.#slots);
      const added = Array.from(
        { length: Math.min(OPENED_AT_ONCE, missing) },
        () => new Lane(this.#slots, this.#makeWire, this.#user),
      );
      this.#lanes.push(...added);
      await Promise.all(added.map((lane) => lane.open()));
      for (const lane of added) this.#user.onPlaces(lane.places);
    }
  }

  /** It has just lost its connection. */
  reopen(lane: Lane): void {
    this.#lastLostMs = performance.now();
    this.#openIn(FIRST_RETRY_MS, lane);
  }

  #openIn(retryMs: number, lane: Lane): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      lane.open().then(
        () => lane.isOpen && this.#user.onPlaces(lane.places),
        (error: Error) => {
          if (this.#isClosed) return;
          this.#user.onRefused({ kind: NO_CONNECTION, message: error.message });
          this.#openIn(Math.min(2 * retryMs, LONGEST_RETRY_MS), lane);
        },
      );
    }, retryMs);
    this.#timers.add(timer);
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const lane of this.#lanes) lane.close();
  }
}
