import type { ClientRegions } from '../../core/regions/client-regions.js';
import type { RegionFacts } from '../../core/regions/region.js';
import type { AdminMethod } from './admin-method.js';

/** SystemSharedMemory* and CudaSharedMemory* (fact sheet 1.6, 3.1). A name of '' is none. */
export const sharedMemoryMethods: Readonly<Record<string, AdminMethod>> = {
  SystemSharedMemoryStatus: ({ regions }, { name }) => ({ regions: statusOf(regions, name as string) }),
  SystemSharedMemoryRegister: ({ regions }, { name, key, offset, byte_size }) => {
    const facts = { offset: Number(offset), byteSize: Number(byte_size) };
    regions.register({ name: name as string, key: key as string, ...facts });
    return {};
  },
  SystemSharedMemoryUnregister: ({ regions }, { name }) => {
    if (name === '') regions.unregisterAll();
    else regions.unregister(name as string);
    return {};
  },
  CudaSharedMemoryStatus: ({ regions }, { name }) => (name === '' ? {} : regions.cudaStatus(name as string)),
  CudaSharedMemoryRegister: ({ regions }, { name }) => regions.registerCuda(name as string),
  CudaSharedMemoryUnregister: ({ regions }, { name }) => {
    regions.unregisterCuda(name === '' ? null : (name as string));
    return {};
  },
};

function statusOf(regions: ClientRegions, name: string): Record<string, object> {
  const found = name === '' ? regions.list() : [regions.status(name)];
  return Object.fromEntries(found.map((region) => [region.name, status(region)]));
}

function status({ name, key, offset, byteSize }: RegionFacts): object {
  return { name, key, offset, byte_size: byteSize };
}
