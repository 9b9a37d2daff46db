import type { ModelConfig, ModelSequenceBatching } from '../config/model-config.js';
import type { SequenceSettings, SequenceStrategy } from '../schedulers/sequence/sequence-scheduler.js';

/** What a normalised configuration with `sequence_batching` means to the sequence batcher (fact sheet 5.3, 5.5). */
export function sequenceSettings(model: string, config: ModelConfig, maxBacklog: number): SequenceSettings {
  const batching = config.sequence_batching!;
  const maxRows = Math.max(1, config.max_batch_size);
  const candidates = batching.oldest?.max_candidate_sequences ?? 0;
  return {
    model,
    idleUs: Number(batching.max_sequence_idle_microseconds),
    maxBacklog,
    strategy: strategyOf(batching, maxRows),
    slots: candidates > 0 ? candidates : maxRows,
    kinds: {
      hasState: batching.state.length > 0,
      hasVariableState: batching.state.some(({ dims }) => dims.includes(-1)),
      overwritesState: batching.state.some((state) => state.use_same_buffer_for_input_output),
      isIterative: batching.iterative_sequence,
    },
  };
}

function strategyOf({ direct, oldest }: ModelSequenceBatching, maxRows: number): SequenceStrategy {
  if (oldest !== undefined) {
    const preferred = [...new Set(oldest.preferred_batch_size)].sort((a, b) => a - b);
    const delayUs = Number(oldest.max_queue_delay_microseconds);
    const sizes = preferred.length > 0 ? preferred : [maxRows];
    return { kind: 'oldest', policy: { maxRows, preferred: sizes, delayUs, single: false } };
  }
  const delayUs = Number(direct?.max_queue_delay_microseconds ?? 0);
  return { kind: 'direct', policy: { delayUs, minUtilization: direct?.minimum_slot_utilization ?? 0 } };
}
