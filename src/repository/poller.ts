import { type FSWatcher, watch } from 'chokidar';
import { nowMs } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { SETTLE_MS } from './settling.js';

export interface PollerSettings {
  /** Folders to watch; none = only the time counts. */
  readonly folders: readonly string[];
  /** `--repository-poll-secs`; 0 = there is no polling, and nothing is watched. */
  readonly pollSecs: number;
}

/**
 * Calls `poll` every so often, soon after something moved in the folders, and again for what it says has not settled. Polling is the truth:
 * what the watcher does not see or cannot watch comes later, not never.
 */
export class Poller {
  readonly #settings: PollerSettings;
  readonly #poll: () => Promise<number>;
  readonly #log: Log;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Monotonic milliseconds. */
  #dueMs = Number.POSITIVE_INFINITY;
  #isPolling = false;
  #isStopped = false;

  /** @param poll resolves with how long to wait before the next look, milliseconds; 0 = there is no hurry. Never rejects. */
  constructor(settings: PollerSettings, poll: () => Promise<number>, log: Log) {
    this.#settings = settings;
    this.#poll = poll;
    this.#log = log;
  }

  start(): void {
    if (this.#settings.pollSecs === 0) return;
    this.#watch();
    this.#within(this.#periodMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#watcher?.close();
  }

  get #periodMs(): number {
    return this.#settings.pollSecs * 1000;
  }

  #watch(): void {
    this.#watcher = watch([...this.#settings.folders], { ignoreInitial: true, ignorePermissionErrors: true });
    this.#watcher.on('all', () => this.#within(SETTLE_MS));
    this.#watcher.once('error', (error) => {
      this.#log.warning(`some changes are seen by polling only: ${(error as Error).message}`);
    });
    this.#watcher.on('error', () => {});
  }

  /** Looks in so many milliseconds at the latest. */
  #within(limitMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, nowMs() + limitMs);
    if (this.#isPolling || this.#isStopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    // Rounded: the sum and the difference of two times are a little less than what was added.
    const delayMs = Math.max(0, Math.round(this.#dueMs - nowMs()));
    this.#timer = setTimeout(() => void this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    this.#isPolling = true;
    this.#dueMs = Number.POSITIVE_INFINITY;
    const waitMs = await this.#poll();
    this.#isPolling = false;
    this.#within(waitMs === 0 ? this.#periodMs : waitMs);
  }
}
