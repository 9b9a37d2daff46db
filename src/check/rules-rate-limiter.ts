import type { FieldPath } from '../config/config-source.js';
import type { Finding } from './finding.js';
import { type Remark, remarkAt, type Subject } from './subject.js';

interface Resource {
  readonly path: FieldPath;
  /** In lower case, as the server compares names. */
  readonly name: string;
  readonly count: number;
  readonly global: boolean;
}

/** `instance_group.rate_limiter`, for a server with `--rate-limit=execution_count`: others pass it over. */
export function rateLimiterRule(subject: Subject): Finding[] {
  const groups = subject.written.instance_group.map(({ rate_limiter }, nth) => {
    const path = ['instance_group', nth, 'rate_limiter'];
    const resources = (rate_limiter?.resources ?? []).map(
      (resource, index): Resource => ({
        ...resource,
        name: resource.name.toLowerCase(),
        path: [...path, 'resources', index],
      }),
    );
    return { path, resources, priority: rate_limiter?.priority ?? 0 };
  });
  const remarks = [
    ...conflicts(groups.flatMap(({ resources }) => resources)),
    ...groups.flatMap(({ resources }) => [...twice(resources), ...nothing(resources)]),
    ...groups.flatMap(({ path, resources, priority }) =>
      priority > 0 && resources.length === 0 ? [idlePriority([...path, 'priority'])] : [],
    ),
  ];
  return remarks.map(({ path, ...remark }) => remarkAt(subject, path, { rule: 'rate-limiter', ...remark }));
}

type PlacedRemark = Omit<Remark, 'rule'> & { readonly path: FieldPath };

/** The model would be refused with Triton's text. */
function conflicts(resources: readonly Resource[]): PlacedRemark[] {
  return asked(resources).flatMap(({ path, name, global }, nth, all) => {
    const first = all.find((other) => other.name === name)!;
    if (first.global === global || all.slice(0, nth).some((other) => other.name === name && other.global === global)) {
      return [];
    }
    return [
      {
        path,
        severity: 'warning',
        message: `resource '${name}' is global in one place and of a device in another: the model does not load with --rate-limit=execution_count`,
        expected: `global: ${first.global}, as above`,
        fix: 'write the same everywhere, or give one of them another name',
      },
    ];
  });
}

function twice(resources: readonly Resource[]): PlacedRemark[] {
  return resources.flatMap(({ path, name, global }, nth) => {
    const isAgain = resources.slice(nth + 1).some((other) => other.name === name && other.global === global);
    if (!isAgain) return [];
    return [
      {
        path,
        severity: 'warning',
        message: `resource '${name}' is named more than once in this group: the last count is what counts`,
        expected: 'each resource once',
        fix: 'take this one out',
      },
    ];
  });
}

function nothing(resources: readonly Resource[]): PlacedRemark[] {
  return resources
    .filter(({ count }) => count === 0)
    .map(({ path, name }) => ({
      path,
      severity: 'hint',
      message: `the instances ask for 0 of resource '${name}', and never wait for it`,
      expected: 'a count of 1 or more',
      fix: 'write a count, or take it out',
    }));
}

function idlePriority(path: FieldPath): PlacedRemark {
  return {
    path,
    severity: 'hint',
    message: 'priority has no effect without resources: the instances wait for nobody',
    expected: 'resources, which others need too',
    fix: 'name resources, or take it out',
  };
}

function asked(resources: readonly Resource[]): Resource[] {
  return resources.filter(({ count }) => count > 0);
}
