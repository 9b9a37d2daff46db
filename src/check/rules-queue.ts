import type { FieldPath } from '../config/config-source.js';
import type { ModelDynamicBatching, ModelQueuePolicy } from '../config/model-config.js';
import { remove } from './edits.js';
import type { Finding } from './finding.js';
import { remarkAt, type Subject } from './subject.js';

/** Settings of queues that change nothing (fact sheet 5.1). Written messages are looked at, not their defaults. */
export function queueRule(subject: Subject): Finding[] {
  const batching = subject.written.dynamic_batching;
  if (batching === undefined) return [];
  const policies: [FieldPath, ModelQueuePolicy | undefined][] = [
    [['default_queue_policy'], batching.default_queue_policy],
    ...Object.entries(batching.priority_queue_policy).map(([key, policy]): [FieldPath, ModelQueuePolicy] => [
      ['priority_queue_policy', { key }],
      policy,
    ]),
  ];
  return [
    ...levels(subject, batching),
    ...policies.flatMap(([path, policy]) =>
      policy === undefined ? [] : timeouts(subject, ['dynamic_batching', ...path], policy),
    ),
  ];
}

/** Without a time-out of its own a policy never looks at the request's, and puts nobody off. */
function timeouts(subject: Subject, path: FieldPath, policy: ModelQueuePolicy): Finding[] {
  if (BigInt(policy.default_timeout_microseconds) !== 0n) return [];
  const idle = (field: string, effect: string) =>
    remarkAt(subject, [...path, field], {
      severity: 'warning',
      rule: 'queue-timeout',
      message: `${field} has no effect: default_timeout_microseconds is 0, so ${effect}`,
      expected: 'a default time-out, which a shorter one of a request may replace',
      fix: `write default_timeout_microseconds, or take ${field} out`,
      edits: remove(subject.source, [...path, field]),
    });
  return [
    ...(policy.allow_timeout_override ? [idle('allow_timeout_override', "a request's timeout never counts")] : []),
    ...(policy.timeout_action === 'DELAY' ? [idle('timeout_action', 'no request ever waits too long')] : []),
  ];
}

function levels(subject: Subject, batching: ModelDynamicBatching): Finding[] {
  const count = BigInt(batching.priority_levels);
  const keys = Object.keys(batching.priority_queue_policy);
  if (count === 0n) return withoutLevels(subject, batching, keys);
  const isEach = BigInt(keys.length) === count;
  if (!isEach || batching.default_queue_policy === undefined) return [];
  const path = ['dynamic_batching', 'default_queue_policy'];
  return [
    remarkAt(subject, path, {
      severity: 'hint',
      rule: 'priority-levels',
      message: `default_queue_policy is for no level: priority_queue_policy has all ${count} of them`,
      expected: 'one of the two for each level',
      fix: 'take default_queue_policy out',
    }),
  ];
}

function withoutLevels(subject: Subject, batching: ModelDynamicBatching, keys: readonly string[]): Finding[] {
  const idle = (path: FieldPath, what: string) =>
    remarkAt(subject, ['dynamic_batching', ...path], {
      severity: 'warning',
      rule: 'priority-levels',
      message: `${what} has no effect: priority_levels is 0, so all requests are of one level`,
      expected: 'priority_levels, or no settings of levels',
      fix: 'write priority_levels, or take this out',
      edits: remove(subject.source, ['dynamic_batching', ...path]),
    });
  return [
    ...(BigInt(batching.default_priority_level) === 0n
      ? []
      : [idle(['default_priority_level'], 'default_priority_level')]),
    // `queueSettings` finds a policy of level 1 also where no levels are set.
    ...keys
      .filter((key) => key !== '1')
      .map((key) => idle(['priority_queue_policy', { key }], `the policy of level ${key}`)),
  ];
}
