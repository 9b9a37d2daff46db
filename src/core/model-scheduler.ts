import type { InstanceGroup } from '../backends/instance-group.js';
import type { Clock } from '../base/clock.js';
import { DynamicScheduler, type DynamicSettings } from '../schedulers/dynamic.js';
import { RequestQueue } from '../schedulers/request-queue.js';
import { OwnIds } from '../schedulers/sequence/own-ids.js';
import { SequenceScheduler } from '../schedulers/sequence/sequence-scheduler.js';
import { Fillers } from './fillers.js';
import type { ModelParts, ModelSurroundings } from './model-parts.js';
import type { SchedulerSettings } from './scheduler-settings.js';
import { ControlWriter, controlsOf } from './sequence-controls.js';
import { sequenceSettings } from './sequence-settings.js';

const CORRID = 'CONTROL_SEQUENCE_CORRID';

/** What a model with sequence batching has beside the others. */
export interface SequenceParts {
  readonly scheduler: SequenceScheduler;
  readonly controls: ControlWriter;
  readonly fillers: Fillers;
  /** Null = requests need ids (`iterative_sequence: false`). */
  readonly ownIds: OwnIds | null;
}

/** Null = the configuration has no sequence batching. */
export function sequenceParts(
  { name, config, tensors }: ModelParts,
  group: InstanceGroup,
  { arena, clock, log, sequenceMaxBacklog }: ModelSurroundings,
): SequenceParts | null {
  if (config.sequence_batching === undefined) return null;
  const controls = new ControlWriter(controlsOf(config), arena.bytes);
  const fillers = new Fillers(tensors, controls, arena);
  const settings = sequenceSettings(name, config, sequenceMaxBacklog);
  const scheduler = new SequenceScheduler(settings, group, clock, fillers, log);
  const areTexts = controls.controls.some(({ kind, datatype }) => kind === CORRID && datatype === 'BYTES');
  return { scheduler, controls, fillers, ownIds: settings.kinds.isIterative ? new OwnIds(name, areTexts) : null };
}

/** The default scheduler and the dynamic batcher. */
export function dynamicScheduler(
  model: string,
  settings: SchedulerSettings,
  group: InstanceGroup,
  clock: Clock,
): DynamicScheduler {
  return new DynamicScheduler(dynamicSettings(model, settings), new RequestQueue(settings.queue), group, clock);
}

export function dynamicSettings(model: string, { policy, prefetch }: SchedulerSettings): DynamicSettings {
  return { policy, prefetch, model };
}
