/** How often the client may ask by PING whether somebody is there. 0 = no limit, everywhere. */
export interface PingLimits {
  /** From one PING of the client to the next, while a stream is open; an earlier one is a strike. */
  readonly minIntervalMs: number;
  /** The same while no stream is open. */
  readonly minIntervalIdleMs: number;
  /** Strikes that are let pass; with one more the connection ends. */
  readonly strikesMax: number;
}

export const noPingLimits: PingLimits = { minIntervalMs: 0, minIntervalIdleMs: 0, strikesMax: 0 };

/** Debug data of the GOAWAY that ends it, to the letter: clients that read it ask less often from then on. */
export const TOO_MANY_PINGS = 'too_many_pings';

/** Counts the early PINGs of one client since something of a request was sent to it last. */
export class PingPolicy {
  readonly #limits: PingLimits;
  readonly #readMs: () => number;
  #receivedMs = Number.NEGATIVE_INFINITY;
  #strikes = 0;
  /** What was counted is void. Only noted, because it is noted with every batch and PINGs are rare. */
  #isForgiven = false;

  /** @param readMs any clock that never goes back; read only where PINGs are limited */
  constructor(limits: PingLimits, readMs: () => number) {
    this.#limits = limits;
    this.#readMs = readMs;
  }

  /** HEADERS, DATA or WINDOW_UPDATE leave: who exchanges requests may ask between them as often as it likes. */
  forgive(): void {
    this.#isForgiven = true;
  }

  /** A PING of the client; false = one too many. `isIdle`: no stream is open. */
  receive(isIdle: boolean): boolean {
    const { strikesMax, minIntervalMs, minIntervalIdleMs } = this.#limits;
    if (strikesMax === 0) return true;
    this.#settle();
    const nowMs = this.#readMs();
    const isEarly = nowMs - this.#receivedMs < (isIdle ? minIntervalIdleMs : minIntervalMs);
    // Early ones count as well: who never waits for as long as it should is never on time.
    this.#receivedMs = nowMs;
    if (isEarly) this.#strikes++;
    return this.#strikes <= strikesMax;
  }

  #settle(): void {
    if (!this.#isForgiven) return;
    this.#isForgiven = false;
    this.#receivedMs = Number.NEGATIVE_INFINITY;
    this.#strikes = 0;
  }
}
