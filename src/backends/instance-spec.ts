import type { ModelRateLimiter } from '../config/model-config.js';
import type { SlotOwner } from '../memory/arena.js';
import type { ThreadNeeds } from './backend.js';
import type { InstanceInit } from './worker-protocol.js';

/** What is the same in every life of an instance. */
export type InstanceSpec = Omit<InstanceInit, 'arena' | 'ring' | 'port'> & {
  /** File of the worker's entry point, which exports `runInstance`. */
  readonly worker: string;
  readonly thread: ThreadNeeds;
  readonly maxRows: number;
  /** Of the memory of its outputs. */
  readonly outputOwner: SlotOwner;
  /** Each request of a batch has outputs of its own (STATUS_PARTS of memory/layout.ts). */
  readonly inParts: boolean;
  /** Its worker's code answers a request any number of times, also when its batch is over. */
  readonly isDecoupled: boolean;
  /** Instances of one kind can stand in for each other: all but their names is the same. */
  readonly kind: string;
  /** Loaded, never given work: what its model runs first it does not run either. */
  readonly passive: boolean;
  /** Its scheduler begins batches when a turn of the event loop is over: the worker need not wait for that again. */
  readonly wakesAtOnce: boolean;
  readonly demand: ResourceDemand;
};

/** What an instance needs of the rate limiter to run (`instance_group.rate_limiter`); no resources = it waits for nobody. */
export interface ResourceDemand extends ModelRateLimiter {
  /** CUDA device; -1 = the CPU. */
  readonly gpu: number;
}
