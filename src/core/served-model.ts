import type { ModelConfig } from '../config/model-config.js';
import type { RowPlanes } from '../memory/planes.js';
import type { SequenceCounts, SequenceSnapshot } from '../schedulers/sequence/sequence-view.js';
import type { ModelStatistics } from '../telemetry/statistics.js';
import type { SequenceFlags } from '../types/infer.js';
import type { InferPlan } from './check-request.js';
import type { AcceptedRequest, Answerer, Responder } from './infer-response.js';
import type { ModelTensors } from './model-tensors.js';
import type { PlacedTensor, SourceReader } from './request-inputs.js';

/** One version of a model that requests find: it runs in instances of its own, or is an ensemble of others. */
export interface ServedModel extends Answerer {
  /** Complete and valid. */
  readonly config: ModelConfig;
  readonly tensors: ModelTensors;
  /** Where the rows of its requests lie; null = they have no fixed size. */
  readonly planes: RowPlanes | null;
  readonly statistics: ModelStatistics;
  /** It answers a request any number of times. */
  readonly isDecoupled: boolean;
  /** Nobody finds it any more: it finishes what it has. */
  readonly isRetired: boolean;
  /** All that it needs to answer serves. */
  readonly isReady: boolean;
  /** One request with the rows of several is the same to it as these, but that it is refused, cancelled and counted as one (see `InferHead.requests`). */
  readonly takesGroups: boolean;
  /** Requests accepted and not yet answered. */
  readonly inFlight: number;
  /** Requests that nobody has begun. */
  readonly pending: number;
  /** Workers that came up in place of one that died; null = it has no workers. */
  readonly restarts: number | null;
  /** Its models, where it is an ensemble; they outlive it. */
  readonly steps: readonly ServedModel[];
  /** Models that its code has called; null = it is not code, and calls none. */
  readonly called: Set<ServedModel> | null;
  /** Every answer with as many rows has output `index` of one shape and size. */
  hasFixedOutput(index: number): boolean;
  /** Its live sequences and the last that ended; null = it has no sequence batching. */
  sequences(): SequenceSnapshot | null;
  /** For metrics; null as in `sequences`. */
  sequenceCounts(): SequenceCounts | null;
  /**
   * Takes memory for a request that fits; `sizes` are the bytes of its inputs in the order of the plan, which may be that of another
   * sequence. The request goes to the model that has its sequence, or that stands in the place of this one. Throws RESOURCE_EXHAUSTED.
   */
  admit(plan: InferPlan, sizes: readonly number[], responder: Responder, sequence?: SequenceFlags): AcceptedRequest;
  /** As `admit`, for a request whose tensors are there already, one for each input of the plan, and stay until `reader` is told. */
  admitSources(
    plan: InferPlan,
    sources: readonly PlacedTensor[],
    reader: Responder & SourceReader,
    sequence: SequenceFlags,
  ): AcceptedRequest;
  /** Somebody will send it requests even when nobody finds it: it ends when all have let go of it. */
  hold(): void;
  letGo(): void;
  /** Takes nothing new; what was accepted is answered. Resolves when nothing is in flight. */
  drain(): Promise<void>;
  /**
   * Nobody finds it any more. Resolves when it has answered what it accepted and all have let go of it.
   * @param heir what is found in its place; null = nothing is
   */
  retire(heir: ServedModel | null): Promise<void>;
  /** Ends what it runs in, and gives its memory back; after `drain` or `retire`. */
  stop(): Promise<void>;
}
