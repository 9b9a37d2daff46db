import { ConnectionError } from './errors.js';
import { ErrorCode } from './wire.js';

/** What a client may do in small measure only: so often at once, and so often a second for ever. */
export class Budget {
  readonly #what: string;
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;

  constructor(what: string, burst: number, perSecond: number) {
    this.#what = what;
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  /** Throws ENHANCE_YOUR_CALM when there is nothing left. */
  spend(count = 1): void {
    this.#left -= count;
    if (this.#left < 0) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `too many ${this.#what}`);
  }

  earn(count: number): void {
    this.#left = Math.min(this.#burst, this.#left + count);
  }

  tick(seconds: number): void {
    this.earn(this.#perSecond * seconds);
  }
}

/** One of each for each connection. */
export class Budgets {
  /**
   * Rapid reset (CVE-2023-44487), and resets that the client makes us send (CVE-2025-8671): requests begun that nobody waits for.
   * Each answer that went through earns one, so that a busy client may cancel a lot.
   */
  readonly resets = new Budget('requests reset before their answer', 1000, 100);
  /**
   * SETTINGS, PING, PRIORITY and frames of unknown type: each costs us time and some an answer (CVE-2019-9512, -9513, -9515). What is
   * sent of answers earns some: clients measure the bandwidth by a PING for each piece that they read (grpc-go, grpc-java).
   */
  readonly controls = new Budget('control frames', 1000, 200);
  /** DATA without bytes that ends nothing (CVE-2019-9518). */
  readonly emptyFrames = new Budget('empty DATA frames', 200, 50);
  /** Windows opened by a few bytes while more is waiting (CVE-2019-9511): each makes a frame of a few bytes. */
  readonly dribbles = new Budget('small WINDOW_UPDATE frames for a large answer', 1000, 100);

  tick(seconds: number): void {
    this.resets.tick(seconds);
    this.controls.tick(seconds);
    this.emptyFrames.tick(seconds);
    this.dribbles.tick(seconds);
  }
}

/** A smaller increment than this dribbles. */
export const DRIBBLE_BYTES = 256;

/** CVE-2024-27316: nobody needs so many for `maxHeaderBlockBytes`. */
export const CONTINUATION_FRAMES_MAX = 64;
