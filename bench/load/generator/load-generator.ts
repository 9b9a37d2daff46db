import type { Load } from '../load.js';
import type { Window } from '../measure/window.js';

/** Sends requests as a load says, on threads of its own, and tells what became of them. */
export interface LoadGenerator {
  /**
   * Resolves when all connections are open and requests leave. A load that runs gives way to the new one without a pause.
   * Rejects with an error that names the server where it cannot be reached.
   * @param requestLimit so many requests are sent in all; 0 = until `drain`
   */
  start(load: Load, requestLimit: number): Promise<void>;
  /** Final answers since `start` of the first load, failed ones among them. Costs nothing: may be read at any time. */
  readonly answered: number;
  /** The good ones of them. Costs nothing either. */
  readonly succeeded: number;
  /** What happened since the last `take`, or since the start. */
  take(): Promise<Window>;
  /** Sends nothing new; resolves with the rest when all in flight is answered, or when the request limit is reached and all is answered. */
  drain(): Promise<Window>;
  /**
   * Of the load that was started last: as many requests as its limit allows, or as its arrivals are, are answered. False for ever where neither
   * has an end. Costs nothing either.
   */
  readonly isOver: boolean;
  /** Rejects when generating itself is broken (a thread died, no connection comes about for long): then nothing more is to be expected. */
  readonly broken: Promise<never>;
  /** @returns what did not work in ending it, for the user */
  close(): Promise<readonly string[]>;
}
