import { invalid } from '../types/errors.js';
import type { ModelConfig } from './model-config.js';
import type { Machine } from './normalize.js';

/** `instance_group` of a model that is no ensemble, normalised (fact sheet 4.6). */
export function validateInstanceGroups(config: ModelConfig, machine: Machine): void {
  const { name, platform } = config;
  if (config.instance_group.length === 0) throw invalid(`must specify one or more 'instance group's for ${name}`);
  for (const group of config.instance_group) {
    const subject = `instance group ${group.name} of model ${name}`;
    if (group.kind === 'KIND_GPU') validateGpus(subject, group.gpus, machine);
    else if (group.gpus.length > 0) {
      throw invalid(`${subject} has kind ${group.kind} but specifies one or more GPUs`);
    }
    if (group.profile.length > 0 && platform !== 'tensorrt_plan') {
      // The missing blank is Triton's.
      const where = `${subject} and platform ${platform}specifies profile field`;
      throw invalid(`${where} which is only supported for TensorRT models`);
    }
  }
}

function validateGpus(subject: string, gpus: readonly number[], machine: Machine): void {
  if (machine.gpus.length === 0) {
    throw invalid(
      `${subject} has kind KIND_GPU but no GPUs are available: no NVIDIA driver answers on this machine. ` +
        'Install the driver and CUDA files (docs/configuration.md), or set kind: KIND_CPU',
    );
  }
  if (gpus.length === 0) throw invalid(`${subject} has kind KIND_GPU but specifies no GPUs`);
  const unusable = gpus.find((gpu) => !machine.gpus.includes(gpu));
  if (unusable === undefined) return;
  throw invalid(
    `${subject} specifies invalid or unsupported gpu id ${unusable}. GPUs that can be used are: ${machine.gpus.join(', ')}`,
  );
}
