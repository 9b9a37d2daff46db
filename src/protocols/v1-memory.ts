import type { RegionFacts } from '../core/regions/region.js';
import { invalid, ServerError } from '../types/errors.js';
import type { V1Server } from './v1-server.js';
import { v1Unavailable } from './v1-status.js';

const CUDA_HANDLE_BYTES = 64;

/** Shared memory of clients as 19.11 speaks of it: regions are called blocks in its messages (v1 fact sheet 1.11). */
export class V1Memory {
  readonly #v1: V1Server;

  constructor(v1: V1Server) {
    this.#v1 = v1;
  }

  /** Throws ALREADY_EXISTS, and what `ClientRegions.register` throws. */
  register(facts: RegionFacts): void {
    this.#change((regions) => {
      if (regions.has(facts.name))
        throw new ServerError('ALREADY_EXISTS', `shared memory block '${facts.name}' already in manager`);
      if (!Number.isSafeInteger(facts.offset) || !Number.isSafeInteger(facts.byteSize))
        throw invalid(`offset and byte size of shared memory block '${facts.name}' must be below 2^53`);
      if (facts.byteSize === 0) throw invalid(`shared memory block '${facts.name}' must have 1 byte or more, got 0`);
      regions.register(facts);
    });
  }

  /** Throws INVALID_ARGUMENT: memory of a GPU cannot be had. @param handleBytes of the handle that came with the request; -1 = it has no length */
  registerCuda(name: string, handleBytes: number): void {
    this.#change((regions) => {
      if (handleBytes === CUDA_HANDLE_BYTES) regions.registerCuda(name);
      throw invalid(
        `the handle of CUDA shared memory block '${name}' must have ${CUDA_HANDLE_BYTES} bytes, got ${handleBytes < 0 ? 'a body without Content-Length' : handleBytes}`,
      );
    });
  }

  /** An unknown one is gone already. */
  unregister(name: string): void {
    this.#change((regions) => regions.unregister(name));
  }

  unregisterAll(): void {
    this.#change((regions) => regions.unregisterAll());
  }

  /** SharedMemoryRegion messages, by name. */
  status(): object[] {
    return this.#v1.counted('memory', () =>
      this.#v1.server.regions.list().map(({ name, key, offset, byteSize }) => ({
        name,
        system_shared_memory: { shared_memory_key: key, offset },
        byte_size: byteSize,
      })),
    );
  }

  #change(run: (regions: V1Server['server']['regions']) => void): void {
    this.#v1.counted('memory', () => {
      const { server } = this.#v1;
      if (server.state !== 'ready') throw v1Unavailable('Server not ready');
      run(server.regions);
    });
  }
}
