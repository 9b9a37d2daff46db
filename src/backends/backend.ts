import type { ResourceLimits } from 'node:worker_threads';
import type { Log } from '../base/log.js';
import type { ModelConfig, ModelInstanceGroup } from '../config/model-config.js';

/** One version of a model, as a backend is asked to serve it. */
export interface ModelSource {
  readonly name: string;
  readonly version: number;
  /** Absolute. */
  readonly versionDirectory: string;
  /** Normalised; what the model's files can tell may be missing unless `autoComplete` is false. */
  readonly config: ModelConfig;
  readonly autoComplete: boolean;
  /** `--backend-config` of this backend and of all. */
  readonly settings: ReadonlyMap<string, string>;
  readonly log: Log;
}

/** One instance to be: a group's entry, on one device. */
export interface InstancePlace {
  readonly group: ModelInstanceGroup;
  /** CUDA device; -1 = the CPU. */
  readonly gpu: number;
  /** Instances of the model that share the machine's cores with it, itself included. */
  readonly siblings: number;
}

/** What a thread is made with. */
export interface ThreadNeeds {
  /** Runs one instance and is ended: what that one loaded must not be there for the next. */
  readonly isFresh: boolean;
  /** Bounds on its memory beside the tensors; empty = Node's own. */
  readonly limits: ResourceLimits;
  /** It must have said by then that it is ready; 0 = whenever. */
  readonly startTimeoutMs: number;
}

/** A model whose configuration is complete and fits its files. */
export interface PreparedModel {
  readonly config: ModelConfig;
  /** File of the worker's entry point, which exports `runInstance`. */
  readonly worker: string;
  /** Inputs and outputs that have no dimensions in the model, where the configuration must write [1]. */
  readonly scalars: ReadonlySet<string>;
  /** Its code is told what a request says beside its tensors (core/head-for-model.ts). */
  readonly readsHeads: boolean;
  /** Each request of a batch has outputs of its own shapes, and may fail for itself. */
  readonly answersEach: boolean;
  /** What the threads of its instances need. */
  readonly thread: ThreadNeeds;
  /** What the worker of one instance is given as `settings`; throws INVALID_ARGUMENT for what it cannot do. */
  settingsFor(place: InstancePlace): unknown;
}

/** A runtime for models. A new one is a file here, a worker, and a line in `main.ts`. */
export interface Backend {
  /** As in `backend:` of a configuration. */
  readonly name: string;
  /** Reads the model's files, completes its configuration and holds one against the other. Throws ServerErrors. */
  prepare(source: ModelSource): Promise<PreparedModel>;
}
