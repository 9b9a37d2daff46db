import { readdir } from 'node:fs/promises';

/** Where the NVIDIA driver lists its devices. */
const DRIVER_DEVICES = '/proc/driver/nvidia/gpus';

/** Numbers of the CUDA devices that this process can see; none without a driver, or where TRITON_SERVER_CPU_ONLY is set. */
export async function findGpus(environment: NodeJS.ProcessEnv = process.env): Promise<number[]> {
  if (environment.TRITON_SERVER_CPU_ONLY !== undefined) return [];
  const devices = await readdir(DRIVER_DEVICES).catch(() => []);
  const visible = environment.CUDA_VISIBLE_DEVICES;
  const count =
    visible === undefined ? devices.length : Math.min(devices.length, visible.split(',').filter(Boolean).length);
  return Array.from({ length: count }, (_, index) => index);
}
