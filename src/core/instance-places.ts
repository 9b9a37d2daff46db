import type { InstancePlace } from '../backends/backend.js';
import type { ResourceDemand } from '../backends/instance-spec.js';
import type { ModelConfig } from '../config/model-config.js';

/** A place with the name its instance has in logs and traces. */
export interface NamedPlace extends InstancePlace {
  readonly name: string;
}

/**
 * One place per instance of a normalised configuration: for each of `count`, one per CPU or MODEL group, or one per listed GPU;
 * all named `<group>_<number>` (fact sheet 4.4). Passive groups are loaded and never given work.
 */
export function instancePlaces(config: ModelConfig): NamedPlace[] {
  const places = config.instance_group.flatMap((group) => {
    const devices = group.kind === 'KIND_GPU' ? group.gpus : [-1];
    return Array.from({ length: group.count }, (_, number) =>
      devices.map((gpu) => ({ group, gpu, name: `${group.name}_${number}` })),
    ).flat();
  });
  const onCpu = places.filter((place) => place.gpu < 0 && !place.group.passive).length;
  return places.map((place) => ({ ...place, siblings: place.gpu < 0 ? Math.max(1, onCpu) : 1 }));
}

/** What is loaded and never given work needs nothing. */
export function demandOf({ group, gpu }: NamedPlace): ResourceDemand {
  const { resources, priority } = group.rate_limiter ?? { resources: [], priority: 0 };
  return { resources: group.passive ? [] : resources, priority, gpu };
}

/** Equal for places that differ in nothing but their names (fact sheet 4.7). */
export function kindOf({ group, gpu }: NamedPlace): string {
  return JSON.stringify([gpu, { ...group, name: '', count: 0, gpus: [] }], (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}
