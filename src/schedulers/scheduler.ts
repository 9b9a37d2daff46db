import type { InferRequest } from '../backends/request.js';

/** Decides when which request of one model runs. Every accepted request is completed or failed, exactly once. */
export interface Scheduler {
  /** Requests that wait for an instance. */
  readonly pending: number;
  /** A request enqueued now would open a batch of its own: its rows had better begin a block of theirs. */
  readonly beginsBatch: boolean;
  /** Takes the request over, or throws a ServerError (queue full, stopped, no instance) and has taken nothing. */
  enqueue(request: InferRequest, nowUs: number): void;
  /** The client is gone: the request fails as CANCELLED now if it has not begun, and is dropped at its end if it has. */
  cancel(request: InferRequest): void;
  /** These were given to an instance that died before it began them. */
  putBack(requests: readonly InferRequest[]): void;
  /** Begins what can begin. To be called whenever an instance has room, comes or goes. */
  run(): void;
  /** An instance that waited for resources may begin a batch, if it does so before this returns. */
  resume(): void;
  /** Takes nothing new from now on; what was accepted goes on. */
  stop(): void;
  /** Nothing is in flight any more, and no timer shall be. */
  close(): void;
}
