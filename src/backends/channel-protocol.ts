import type { CustomMetric } from '../telemetry/custom-metrics.js';
import type { ErrorCode } from '../types/errors.js';
import type { CallsMessage, RepliesMessage } from './call-protocol.js';

/**
 * What the worker of a model written in code and the main thread tell each other over the worker's port, beside what goes through the ring.
 *
 * A request is named by its key: the number of its batch in this life of the worker, times the entries that a batch can have, plus its
 * place in the batch.
 */
export type FromWorker = LogMessage | MetricMessage | AnswersMessage | CallsMessage;

export type ToWorker = EventsMessage | RepliesMessage;

/** What happened in one turn of the main thread's event loop. */
export interface EventsMessage {
  readonly kind: 'events';
  readonly events: readonly WorkerEvent[];
}

/** A line for the server's log. */
export interface LogMessage {
  readonly kind: 'log';
  readonly severity: 'error' | 'warning' | 'info' | 'verbose';
  /** Of verbose lines: shown from `--log-verbose` that level on. */
  readonly level: number;
  readonly text: string;
}

/** A series that the model's code keeps from now on. */
export type MetricMessage = CustomMetric & { readonly kind: 'metric' };

/** What requests of a decoupled model did in one turn of the worker, in order. */
export interface AnswersMessage {
  readonly kind: 'answers';
  readonly events: readonly AnswerEvent[];
}

/**
 * ask: an answer needs `bytes` bytes; `isReturned` = the slot that was granted is too small for it. Where a slot is on its way already, the
 * request gets no other. answer: it is written to the slot that was granted, as STATUS_PARTS says for one entry. end: none follows. again: none
 * follows under this key; the request is to run again.
 */
export type AnswerEvent =
  | { readonly kind: 'ask'; readonly key: number; readonly bytes: number; readonly isReturned: boolean }
  | { readonly kind: 'answer'; readonly key: number; readonly isFinal: boolean; readonly times: AnswerTimes }
  | { readonly kind: 'end'; readonly key: number; readonly error: AnswerError | null }
  | { readonly kind: 'again'; readonly key: number };

/** Monotonic microseconds: the answer was begun, is computed, is in memory. */
export interface AnswerTimes {
  readonly startUs: number;
  readonly inferUs: number;
  readonly endUs: number;
}

export interface AnswerError {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * grant: a slot of the arena for the next answer; of 0 bytes = there is no memory for it. cancelled: nobody waits for the request's answer any
 * more.
 */
export type WorkerEvent =
  | { readonly kind: 'grant'; readonly key: number; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'cancelled'; readonly key: number };
