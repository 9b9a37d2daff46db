import type { CloseReason } from '../telemetry/close-reasons.js';
import type { CustomMetric } from '../telemetry/custom-metrics.js';
import type { BatchOutputs } from './batch-outputs.js';
import type { CallEvent, CallReply } from './call-protocol.js';
import type { InferRequest } from './request.js';

/**
 * starting: its worker loads the model. warming: it runs what its model runs first. serving: it takes batches. dead: its worker is gone, a restart is due. stopped: for good.
 */
export type InstanceState = 'starting' | 'warming' | 'serving' | 'dead' | 'stopped';

/** One instance of a model as its scheduler sees it: runs one batch at a time and lets the next one grow meanwhile. */
export interface Instance {
  readonly name: string;
  readonly state: InstanceState;
  /** Nothing runs and nothing waits: a batch begun now runs at once. */
  readonly isIdle: boolean;
  /** A batch may be begun: nothing is open, whether or not one runs. */
  readonly canBegin: boolean;
  /** Rows of the batch that is open, 0 = none is. It may be sealed at any moment. */
  readonly openRows: number;
  /** The batch key of the open batch. */
  readonly openKey: string;
  /**
   * Begins a batch with the first `count` of `requests`; only where `canBegin`. False = nothing was taken: there is no memory for outputs, or,
   * where it cannot begin any more then, it waits for resources, and its scheduler is resumed when they are there.
   * @param usual why it has no more as long as nothing else is known: `idle_instance` or `end_of_queue`
   * @param noted what is known; null = nothing is
   */
  begin(requests: readonly InferRequest[], count: number, usual: CloseReason, noted: CloseReason | null): boolean;
  /** Why the newest batch gets no more, until it does; null = nobody is kept out of it any more. */
  noteClosing(reason: CloseReason | null): void;
  /** Adds to the open batch; false = it was sealed meanwhile, or is full. */
  grow(request: InferRequest): boolean;
  /**
   * The open batch has the first `count` of `requests` instead of those that it has; 0 = it is taken back. False = it was sealed meanwhile, or
   * there is none: nothing changed.
   * @param reason why it gets no more; null = nothing says more than when it was begun
   */
  replace(requests: readonly InferRequest[], count: number, reason: CloseReason | null): boolean;
  /** Takes a cancelled request out of the open batch; false = it runs already. */
  withdraw(request: InferRequest): boolean;
}

/** What an instance tells; set by whoever runs it. */
export interface InstanceEvents {
  /** A batch ended or the instance came up: there may be room for more. */
  onRoom(): void;
  /** An execution ended well, told once, before its requests are. */
  onExecuted(outputs: BatchOutputs): void;
  /** The worker died before it began these requests: they are to be queued again, in this order, before all others. */
  onReturned(requests: readonly InferRequest[]): void;
  /**
   * Its worker has loaded the model: it serves when the promise resolves, and did not start if it rejects. Batches may be begun
   * meanwhile, as long as the state is 'warming'; their requests end, whatever happens.
   */
  onLoaded(instance: Instance): Promise<void>;
  /** Its code keeps a metric from now on. False = it does not go together with what is there of this name. */
  onMetric(metric: CustomMetric, instance: string): boolean;
  /** It serves, or it did and is dead or stopped; `reason` says why where it is not plain. */
  onState(instance: Instance, reason: string): void;
  /** Its code waits until what it has answered to a request is read, or goes on with that request: told in turns for each. */
  onStalled(isStalled: boolean): void;
  /** Its code calls other models; `post` tells it what comes of that. */
  openCalls(post: (replies: readonly CallReply[]) => void): CallSession;
}

/** The calls of one life of an instance. */
export interface CallSession {
  /** @param caller on whose behalf a call is; null = it does not say, or that request has its last answer */
  take(event: CallEvent, caller: InferRequest | null): void;
  /** The instance is gone: what it has not got is cancelled, what it has is released. Nothing is posted any more. */
  close(): void;
}
