import type { InstanceGroup } from '../backends/instance-group.js';
import type { Clock } from '../base/clock.js';
import { DynamicScheduler, type DynamicSettings } from '../schedulers/dynamic.js';
import { RequestQueue } from '../schedulers/request-queue.js';
import { SequenceScheduler } from '../schedulers/sequence/sequence-scheduler.js';
import { Fillers } from './fillers.js';
import type { ModelParts, ModelSurroundings } from './model-parts.js';
import type { SchedulerSettings } from './scheduler-settings.js';
import { ControlWriter, controlsOf } from './sequence-controls.js';
import { sequenceSettings } from './sequence-settings.js';

/** What a model with sequence batching has beside the others. */
export interface SequenceParts {
  readonly scheduler: SequenceScheduler;
  readonly controls: ControlWriter;
  readonly fillers: Fillers;
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
  return { scheduler: new SequenceScheduler(settings, group, clock, fillers, log), controls, fillers };
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
