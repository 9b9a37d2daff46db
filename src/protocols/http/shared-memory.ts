import type { ClientRegions } from '../../core/regions/client-regions.js';
import { invalid } from '../../types/errors.js';
import type { BodyBudget } from '../body-buffer.js';
import type { Endpoint } from '../routes.js';
import type { HttpExchange } from './engine.js';
import { JSON_HEADERS, replyBytes, replyJson } from './reply.js';
import { internal, objectOf, readSmallBody } from './small-body.js';

export type SharedMemoryEndpoint = Extract<Endpoint, `${'system' | 'cuda'}-memory-${string}`>;

export function isSharedMemory(endpoint: Endpoint): endpoint is SharedMemoryEndpoint {
  return endpoint.startsWith('system-memory-') || endpoint.startsWith('cuda-memory-');
}

const LARGEST_BODY_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);

/** `/v2/systemsharedmemory...` and `/v2/cudasharedmemory...` (fact sheet 1.6). */
export class SharedMemoryEndpoints {
  readonly #regions: ClientRegions;
  readonly #budget: BodyBudget;

  constructor(regions: ClientRegions, budget: BodyBudget) {
    this.#regions = regions;
    this.#budget = budget;
  }

  /** @param region null = the path names none. Throws what can be refused before a body comes. */
  handle(exchange: HttpExchange, endpoint: SharedMemoryEndpoint, region: string | null): void {
    const regions = this.#regions;
    if (endpoint === 'system-memory-register') {
      regions.checkAllowed();
      const name = nameOf(region, 'system');
      readSmallBody(exchange, this.#budget, LARGEST_BODY_BYTES, (body) => {
        register(regions, name, body);
        replyBytes(exchange, 200, JSON_HEADERS, NOTHING);
      });
      return;
    }
    const status = run(regions, endpoint, region);
    if (status === null) replyBytes(exchange, 200, JSON_HEADERS, NOTHING);
    else replyJson(exchange, 200, status);
  }
}

/** What is asked without a body; null = there is nothing to say. */
function run(regions: ClientRegions, endpoint: SharedMemoryEndpoint, region: string | null): object[] | null {
  if (endpoint === 'system-memory-status') return systemStatus(regions, region);
  if (endpoint === 'cuda-memory-status') return region === null ? [] : regions.cudaStatus(region);
  if (endpoint === 'cuda-memory-unregister') regions.unregisterCuda(region);
  else if (endpoint === 'cuda-memory-register') regions.registerCuda(nameOf(region, 'cuda'));
  else if (region === null) regions.unregisterAll();
  else regions.unregister(region);
  return null;
}

function systemStatus(regions: ClientRegions, region: string | null): object[] {
  const found = region === null ? regions.list() : [regions.status(region)];
  return found.map(({ name, key, offset, byteSize }) => ({ name, key, offset, byte_size: byteSize }));
}

function nameOf(region: string | null, kind: 'system' | 'cuda'): string {
  if (region !== null) return region;
  throw invalid(`'region name' is necessary to register ${kind} shared memory region`);
}

/** @param body of a request to register a system region */
function register(regions: ClientRegions, name: string, body: Buffer): void {
  const { key, offset = 0, byte_size: byteSize } = objectOf(body);
  if (key === undefined) throw invalid("Shared memory register request has no 'key' field");
  if (byteSize === undefined) throw invalid("Shared memory register request has no 'byte_size' field");
  if (typeof key !== 'string') throw internal('attempt to access JSON non-string as string');
  regions.register({ name, key, offset: bytesOf(offset), byteSize: bytesOf(byteSize) });
}

function bytesOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw internal('attempt to access JSON non-unsigned-integer as unsigned-integer');
}
