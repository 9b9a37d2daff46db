import type * as UwsModule from 'uWebSockets.js';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export type Uws = typeof UwsModule;

/** A build of Node, as native binaries are named after it. */
export interface NodeBuild {
  readonly platform: string;
  readonly arch: string;
  /** The ABI: `process.versions.modules`. */
  readonly modules: string;
}

export const thisNode: NodeBuild = {
  platform: process.platform,
  arch: process.arch,
  modules: process.versions.modules,
};

/** The binary in a package for a build of Node, or null. The package from GitHub has it in its root, the one from the registry in `binaries`. */
export function findUwsBinary(
  packageRoot: string,
  build: NodeBuild,
  exists: (path: string) => boolean = existsSync,
): string | null {
  const name = `uws_${build.platform}_${build.arch}_${build.modules}.node`;
  const places = [join(packageRoot, name), join(packageRoot, 'binaries', name)];
  return places.find((place) => exists(place)) ?? null;
}

/** Where the package may lie: beside us, and in the project that we are installed in or started from. */
function packageRoots(): string[] {
  const require = createRequire(import.meta.url);
  const upwards = require.resolve.paths('uWebSockets.js') ?? [];
  const folders = [...upwards, join(process.cwd(), 'node_modules')];
  return [...new Set(folders)].map((folder) => join(folder, 'uWebSockets.js')).filter((root) => existsSync(root));
}

/**
 * Loads the binary itself: the main file of the registry's package answers a Node that it has no binary for with a slow stand-in.
 * The reason in words where it cannot be had.
 */
export function loadUws(): Uws | string {
  const roots = packageRoots();
  if (roots.length === 0) return 'uWebSockets.js is not installed';
  const binary = roots.map((root) => findUwsBinary(root, thisNode)).find((found) => found !== null);
  const { platform, arch } = thisNode;
  if (binary === undefined)
    return `uWebSockets.js has no binary for Node ${process.versions.node} on ${platform} ${arch}`;
  try {
    return createRequire(import.meta.url)(binary) as Uws;
  } catch (error) {
    return `uWebSockets.js cannot be loaded: ${error instanceof Error ? error.message : String(error)}`;
  }
}
