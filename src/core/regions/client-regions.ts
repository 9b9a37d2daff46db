import { invalid, ServerError } from '../../types/errors.js';
import type { RegionRange } from '../../types/infer.js';
import { Region, type RegionFacts } from './region.js';
import { regionPath } from './region-path.js';

/** Each keeps a file open. */
const REGIONS_MAX = 1024;

/** The shared memory that clients have registered: system regions, by name (fact sheet 1.6). There are none of CUDA. */
export class ClientRegions {
  /** `--allow-client-shm` */
  readonly isAllowed: boolean;
  readonly #regions = new Map<string, Region>();

  constructor(isAllowed: boolean) {
    this.isAllowed = isAllowed;
  }

  /** Throws as `checkAllowed`, `regionPath` and `Region.open`; ALREADY_EXISTS where the name is taken. */
  register(facts: RegionFacts): void {
    this.checkAllowed();
    const { name, key } = facts;
    if (this.#regions.has(name)) {
      throw new ServerError('ALREADY_EXISTS', `shared memory region '${name}' already in manager`);
    }
    if (this.#regions.size >= REGIONS_MAX) {
      throw new ServerError(
        'RESOURCE_EXHAUSTED',
        `${REGIONS_MAX} shared memory regions are registered: unregister some`,
      );
    }
    this.#regions.set(name, Region.open(facts, regionPath(name, key)));
  }

  /** Throws as `checkAllowed`, else INVALID_ARGUMENT: memory of a GPU cannot be had. */
  registerCuda(name: string): never {
    this.checkAllowed();
    throw invalid(`failed to register CUDA shared memory region: '${name}', GPUs not supported`);
  }

  /**
   * A region in use goes with the last request that uses it; until then requests find it, as Triton's (its QA says so). An unknown one is
   * gone already. Throws as `checkAllowed`.
   */
  unregister(name: string): void {
    this.checkAllowed();
    const region = this.#regions.get(name);
    if (region === undefined) return;
    region.isLeaving = true;
    if (!region.isUsed) this.#remove(region);
  }

  unregisterAll(): void {
    this.checkAllowed();
    for (const name of [...this.#regions.keys()]) this.unregister(name);
  }

  /** Throws as `checkAllowed`; NOT_FOUND where the name is that of a system region. @param name null = all */
  unregisterCuda(name: string | null): void {
    this.checkAllowed();
    if (name !== null) this.#checkNotSystem(name);
  }

  /** It is registered, and tensors may lie in it. */
  has(name: string): boolean {
    return this.#regions.has(name);
  }

  /** All that are registered, by name. */
  list(): RegionFacts[] {
    return [...this.#regions.values()].map(({ facts }) => facts).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Throws NOT_FOUND. */
  status(name: string): RegionFacts {
    const region = this.#regions.get(name);
    if (region !== undefined) return region.facts;
    throw new ServerError('NOT_FOUND', `Unable to find system shared memory region: '${name}'`);
  }

  /** Throws NOT_FOUND: there is none. */
  cudaStatus(name: string): never {
    this.#checkNotSystem(name);
    throw new ServerError('NOT_FOUND', `Unable to find cuda shared memory region: '${name}'`);
  }

  /** Throws UNSUPPORTED where clients may register nothing. */
  checkAllowed(): void {
    if (this.isAllowed) return;
    throw new ServerError(
      'UNSUPPORTED',
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable.",
    );
  }

  /** The region of a tensor, which `letGo` must follow. Throws NOT_FOUND, and INVALID_ARGUMENT for what lies outside of it. */
  hold({ region: name, offset, byteSize }: RegionRange): Region {
    const region = this.#regions.get(name);
    if (region === undefined) {
      throw new ServerError('NOT_FOUND', `Unable to find shared memory region: '${name}'`);
    }
    const size = region.facts.byteSize;
    if (offset > Math.max(0, size - 1)) throw invalid(`Invalid offset for shared memory region: '${name}'`);
    if (offset + byteSize > size) throw invalid(`Invalid offset + byte size for shared memory region: '${name}'`);
    region.hold();
    return region;
  }

  letGo(region: Region): void {
    region.letGo();
    if (region.isLeaving && !region.isUsed) this.#remove(region);
  }

  #remove(region: Region): void {
    this.#regions.delete(region.facts.name);
    region.close();
  }

  #checkNotSystem(name: string): void {
    if (!this.#regions.has(name)) return;
    throw new ServerError(
      'NOT_FOUND',
      `The region named '${name}' is registered as system shared memory, not CUDA shared memory`,
    );
  }
}
