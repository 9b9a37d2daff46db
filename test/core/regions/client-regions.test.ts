import { execFileSync } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { ClientRegions } from '../../../src/core/regions/client-regions.js';
import { regionPath } from '../../../src/core/regions/region-path.js';
import { RegionFile } from '../../e2e/region-file.js';

const made: RegionFile[] = [];

function regionFile(bytes: number): RegionFile {
  const file = new RegionFile(Buffer.from(Array.from({ length: bytes }, (_, index) => index)));
  made.push(file);
  return file;
}

function withRegion(bytes = 64, offset = 0) {
  const regions = new ClientRegions(true);
  const file = regionFile(bytes + offset);
  const facts = { name: 'r', key: file.key, offset, byteSize: bytes };
  regions.register(facts);
  return { regions, file, facts };
}

afterEach(() => {
  for (const file of made.splice(0)) file.remove();
});

describe('keys', () => {
  test.each([
    ['/x', '/dev/shm/x'],
    ['x', '/dev/shm/x'],
    ['//x.1', '/dev/shm/x.1'],
    ['/..x', '/dev/shm/..x'],
  ])('%s is the file %s', (key, path) => expect(regionPath('r', key)).toBe(path));

  test.each(['', '/', '//', '/a/b', '/../etc/passwd', '..', '/.', 'a\0b', `/${'x'.repeat(256)}`])(
    '%j is none',
    (key) => {
      expect(() => regionPath('r', key)).toThrow(`cannot register shared memory region 'r' - invalid shm key '${key}'`);
    },
  );

  test('a reserved prefix is named', () => {
    const key = '//triton_python_backend_shm_region_1';
    expect(() => regionPath('r', key)).toThrow(
      `cannot register shared memory region 'r' with key '${key}' as the key contains the reserved prefix 'triton_python_backend_shm_region_'`,
    );
  });
});

describe('registering', () => {
  test('is off unless it is allowed; status always works', () => {
    const regions = new ClientRegions(false);
    const off = "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable.";
    expect(() => regions.register({ name: 'r', key: '/r', offset: 0, byteSize: 1 })).toThrow(off);
    expect(() => regions.unregister('r')).toThrow(off);
    expect(() => regions.unregisterAll()).toThrow(off);
    expect(() => regions.registerCuda('r')).toThrow(off);
    expect(() => regions.unregisterCuda(null)).toThrow(off);
    expect(regions.list()).toEqual([]);
    expect(() => regions.status('r')).toThrow("Unable to find system shared memory region: 'r'");
  });

  test('what is registered is listed by name until it is unregistered', () => {
    const { regions, file, facts } = withRegion();
    const other = { name: 'a', key: file.key, offset: 32, byteSize: 32 };
    regions.register(other);
    expect(regions.list()).toEqual([other, facts]);
    expect(regions.status('r')).toEqual(facts);
    regions.unregister('r');
    regions.unregister('r');
    expect(regions.list()).toEqual([other]);
    regions.unregisterAll();
    expect(regions.list()).toEqual([]);
  });

  test('a name is taken once', () => {
    const { regions, facts } = withRegion();
    expect(() => regions.register(facts)).toThrow("shared memory region 'r' already in manager");
  });

  test('a region lies inside its file', () => {
    const { regions, file } = withRegion(64);
    const text = "failed to register shared memory region 's': invalid args";
    expect(() => regions.register({ name: 's', key: file.key, offset: 0, byteSize: 65 })).toThrow(text);
    expect(() => regions.register({ name: 's', key: file.key, offset: 1, byteSize: 64 })).toThrow(text);
    expect(() => regions.register({ name: 's', key: file.key, offset: 2 ** 53 - 1, byteSize: 1 })).toThrow(text);
  });

  test('only a plain file is opened: no link, no pipe, no folder, nothing that is not there', () => {
    const regions = new ClientRegions(true);
    const names = ['missing', 'link', 'pipe', 'folder'].map((name) => `conch-${name}-${process.pid}`);
    const [, link, pipe, folder] = names.map((name) => `/dev/shm/${name}`) as [string, string, string, string];
    symlinkSync('/etc/hostname', link);
    execFileSync('mkfifo', [pipe]);
    execFileSync('mkdir', [folder]);
    try {
      for (const key of names) {
        expect(() => regions.register({ name: 'r', key, offset: 0, byteSize: 1 })).toThrow(
          `Unable to open shared memory region: '${key}'`,
        );
      }
    } finally {
      for (const path of [link, pipe, folder]) rmSync(path, { recursive: true });
    }
  });

  test('there is a bound on how many there are', () => {
    const { regions, facts } = withRegion();
    for (let nth = 1; nth < 1024; nth++) regions.register({ ...facts, name: String(nth) });
    expect(() => regions.register({ ...facts, name: 'one more' })).toThrow('1024 shared memory regions are registered');
    regions.unregisterAll();
  });

  test('a GPU has no regions', () => {
    const { regions } = withRegion();
    expect(() => regions.registerCuda('c')).toThrow(
      "failed to register CUDA shared memory region: 'c', GPUs not supported",
    );
    expect(() => regions.cudaStatus('c')).toThrow("Unable to find cuda shared memory region: 'c'");
    const wrongKind = "The region named 'r' is registered as system shared memory, not CUDA shared memory";
    expect(() => regions.cudaStatus('r')).toThrow(wrongKind);
    expect(() => regions.unregisterCuda('r')).toThrow(wrongKind);
    regions.unregisterCuda('c');
    regions.unregisterCuda(null);
    expect(regions.list()).toHaveLength(1);
  });
});

describe('using', () => {
  test.each([
    ['q', 0, 1, "Unable to find shared memory region: 'q'"],
    ['r', 64, 0, "Invalid offset for shared memory region: 'r'"],
    ['r', 0, 65, "Invalid offset + byte size for shared memory region: 'r'"],
    ['r', 63, 2, "Invalid offset + byte size for shared memory region: 'r'"],
    ['r', 2 ** 53 - 1, 2 ** 53 - 1, "Invalid offset for shared memory region: 'r'"],
  ])('region %s from %d on, %d bytes: refused', (region, offset, byteSize, text) => {
    expect(() => withRegion().regions.hold({ region, offset, byteSize })).toThrow(text);
  });

  test('a region in use goes with its last user, and is found until then', () => {
    const { regions, facts } = withRegion();
    const range = { region: 'r', offset: 0, byteSize: 4 };
    const [first, second] = [regions.hold(range), regions.hold(range)];
    regions.unregister('r');
    expect(regions.list()).toEqual([facts]);
    const third = regions.hold(range);
    regions.letGo(first);
    regions.letGo(second);
    expect(regions.list()).toEqual([facts]);
    expect(third.read(0, 4, new Uint8Array(4), 0)).toBe(true);
    regions.letGo(third);
    expect(regions.list()).toEqual([]);
    expect(() => regions.hold(range)).toThrow("Unable to find shared memory region: 'r'");
  });

  test('bytes are read and written behind the offsets of region and tensor', () => {
    const { regions, file } = withRegion(32, 16);
    const region = regions.hold({ region: 'r', offset: 8, byteSize: 4 });
    const memory = new Uint8Array(new SharedArrayBuffer(16));
    expect(region.read(8, 4, memory, 2)).toBe(true);
    expect([...memory.subarray(0, 8)]).toEqual([0, 0, 24, 25, 26, 27, 0, 0]);
    expect(region.write(0, 3, memory, 2)).toBe(true);
    expect([...file.read(15, 5)]).toEqual([15, 24, 25, 26, 19]);
  });

  test('a file that was cut off is neither read beyond its end nor made longer', () => {
    const { regions, file } = withRegion(64);
    const region = regions.hold({ region: 'r', offset: 0, byteSize: 64 });
    file.truncate(10);
    const memory = new Uint8Array(64);
    expect(region.read(0, 11, memory, 0)).toBe(false);
    expect(region.write(0, 11, memory, 0)).toBe(false);
    expect(region.read(0, 10, memory, 0)).toBe(true);
    expect(region.write(0, 10, memory, 0)).toBe(true);
    expect(file.read(0, 64)).toHaveLength(10);
  });
});
