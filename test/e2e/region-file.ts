import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';

let count = 0;

/** An object of POSIX shared memory, as another process makes it. */
export class RegionFile {
  readonly key: string;
  readonly path: string;

  constructor(content: Uint8Array) {
    this.key = `/conch-test-${process.pid}-${count++}`;
    this.path = `/dev/shm${this.key}`;
    writeFileSync(this.path, content);
  }

  read(begin: number, bytes: number): Buffer {
    return readFileSync(this.path).subarray(begin, begin + bytes);
  }

  truncate(bytes: number): void {
    truncateSync(this.path, bytes);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}

/** A tensor's `parameters` in JSON. */
export function inRegion(region: string, byteSize: number, offset = 0): object {
  return {
    parameters: { shared_memory_region: region, shared_memory_byte_size: byteSize, shared_memory_offset: offset },
  };
}

/** A tensor's `parameters` over gRPC. */
export function inRegionGrpc(region: string, byteSize: number, offset = 0): object {
  return {
    parameters: {
      shared_memory_region: { string_param: region },
      shared_memory_byte_size: { int64_param: byteSize },
      shared_memory_offset: { int64_param: offset },
    },
  };
}
