import type { FieldPath } from '../config/config-source.js';
import type { ModelConfig } from '../config/model-config.js';
import { isEnsemble } from '../config/normalize.js';
import type { ModelSignature } from '../types/model.js';
import { remove } from './edits.js';
import type { Finding } from './finding.js';
import { listText, remarkAt, type Subject } from './subject.js';

/** Batches that are not made although they could be, and settings of batches that are never made. */
export function batchingRule(subject: Subject): Finding[] {
  if (isEnsemble(subject.config)) return [];
  return [
    ...unbatched(subject),
    ...unscheduled(subject),
    ...preferredSizes(subject, ['dynamic_batching'], subject.config.dynamic_batching?.preferred_batch_size),
    ...preferredSizes(
      subject,
      ['sequence_batching', 'oldest'],
      subject.config.sequence_batching?.oldest?.preferred_batch_size,
    ),
    ...delays(subject),
    ...candidates(subject),
  ];
}

/** Every tensor begins with an open dimension: so it is in models that batch, though it may be a length too. */
export function canBatch({ inputs, outputs }: ModelSignature): boolean {
  const tensors = [...inputs, ...outputs];
  return tensors.length > 0 && tensors.every(({ shape }) => shape[0] === -1);
}

function unbatched(subject: Subject): Finding[] {
  const { config, versions, source } = subject;
  if (config.max_batch_size !== 0 || versions.length === 0) return [];
  if (!versions.every(({ signature }) => canBatch(signature))) return [];
  const isMeant = source.place(['max_batch_size']) !== null;
  return [
    remarkAt(subject, ['max_batch_size'], {
      severity: isMeant ? 'hint' : 'warning',
      rule: 'max-batch-size',
      message: `the model could batch: the first dimension of each of its tensors is open, but max_batch_size is ${isMeant ? '0' : 'not given, which is 0'}`,
      expected: 'if that dimension counts requests, the rows of a batch; if it is a length, 0',
      fix: isMeant
        ? 'write max_batch_size: 8 and take the first -1 out of every dims, or leave it'
        : 'write max_batch_size: 8 and take the first -1 out of every dims, or write max_batch_size: 0',
    }),
  ];
}

function unscheduled(subject: Subject): Finding[] {
  const { config, versions } = subject;
  const isScheduled = config.dynamic_batching !== undefined || config.sequence_batching !== undefined;
  if (config.max_batch_size <= 1 || isScheduled || versions.length === 0) return [];
  return [
    remarkAt(subject, ['max_batch_size'], {
      severity: 'hint',
      rule: 'dynamic-batching',
      message: `every request is an execution of its own: max_batch_size is ${config.max_batch_size}, but there is no dynamic_batching`,
      expected: 'dynamic_batching { }, if the rows of a batch do not depend on each other',
      fix: 'write dynamic_batching { }',
    }),
  ];
}

function preferredSizes(subject: Subject, holder: FieldPath, sizes: readonly number[] = []): Finding[] {
  const path = [...holder, 'preferred_batch_size'];
  if (subject.source.place(path) === null) return [];
  return sizes.flatMap((size, index) => {
    if (sizes.indexOf(size) === index) return [];
    return [
      remarkAt(subject, [...path, index], {
        severity: 'hint',
        rule: 'preferred-batch-size',
        message: `preferred size ${size} is given twice`,
        expected: `preferred_batch_size: ${listText([...new Set(sizes)])}`,
        fix: 'take one of them out',
        edits: remove(subject.source, [...path, index]),
      }),
    ];
  });
}

/** With a preferred size of one row nobody waits: every request reaches it. */
function delays(subject: Subject): Finding[] {
  const { dynamic_batching: dynamic, sequence_batching: sequence, max_batch_size } = subject.config;
  const isSingle = (sizes: readonly number[]) => max_batch_size <= 1 || (sizes.length > 0 && Math.max(...sizes) <= 1);
  const why = max_batch_size <= 1 ? `max_batch_size is ${max_batch_size}` : 'the preferred size is 1';
  return [
    ...(dynamic !== undefined && isSingle(dynamic.preferred_batch_size)
      ? idleDelay(subject, ['dynamic_batching'], dynamic.max_queue_delay_microseconds, why)
      : []),
    ...(sequence?.oldest !== undefined && isSingle(sequence.oldest.preferred_batch_size)
      ? idleDelay(subject, ['sequence_batching', 'oldest'], sequence.oldest.max_queue_delay_microseconds, why)
      : []),
    ...directDelay(subject, sequence?.direct),
  ];
}

function idleDelay(subject: Subject, holder: FieldPath, delay: number | bigint, why: string): Finding[] {
  const path = [...holder, 'max_queue_delay_microseconds'];
  if (BigInt(delay) === 0n) return [];
  return [
    remarkAt(subject, path, {
      severity: 'warning',
      rule: 'queue-delay',
      message: `the delay has no effect: ${why}, so no request waits for company`,
      expected: 'a preferred size above 1, or no delay',
      fix: 'take the delay out',
      edits: remove(subject.source, path),
    }),
  ];
}

/** A step waits only while both say so (fact sheet 5.5). */
function directDelay(subject: Subject, direct: NonNullable<ModelConfig['sequence_batching']>['direct']): Finding[] {
  if (direct === undefined) return [];
  const waits = BigInt(direct.max_queue_delay_microseconds) > 0n;
  const hasShare = direct.minimum_slot_utilization > 0;
  if (waits === hasShare) return [];
  const [idle, other] = waits
    ? ['max_queue_delay_microseconds', 'minimum_slot_utilization']
    : ['minimum_slot_utilization', 'max_queue_delay_microseconds'];
  const path = ['sequence_batching', 'direct', idle!];
  return [
    remarkAt(subject, path, {
      severity: 'warning',
      rule: 'queue-delay',
      message: `${idle} has no effect: ${other} is 0, so no step waits for other sequences`,
      expected: 'both, or neither',
      fix: `take ${idle} out, or write ${other}`,
      edits: remove(subject.source, path),
    }),
  ];
}

/** A batch of the oldest strategy has one row of each sequence at an instance. */
function candidates(subject: Subject): Finding[] {
  const oldest = subject.config.sequence_batching?.oldest;
  if (oldest === undefined || oldest.max_candidate_sequences <= 0) return [];
  const { max_candidate_sequences: most, preferred_batch_size: sizes } = oldest;
  const path = ['sequence_batching', 'oldest', 'preferred_batch_size'];
  const isWritten = subject.source.place(path) !== null;
  const beyond = sizes.map((size, index) => ({ size, index })).filter(({ size }) => isWritten && size > most);
  return beyond.map(({ size, index }) =>
    remarkAt(subject, [...path, index], {
      severity: 'warning',
      rule: 'preferred-batch-size',
      message: `preferred size ${size} is never reached: an instance has ${most} sequences at most (max_candidate_sequences)`,
      expected: `a size from 1 to ${most}, or more candidates`,
      fix: 'raise max_candidate_sequences, or take the size out',
    }),
  );
}
