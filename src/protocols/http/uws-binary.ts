import type * as UwsModule from 'uWebSockets.js';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

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

/**
 * Loads the binary itself: the main file of the registry's package answers a Node that it has no binary for with a slow stand-in.
 * The reason in words where it cannot be had.
 */
export function loadUws(): Uws | string {
  const require = createRequire(import.meta.url);
  const root = packageRoot(require);
  if (root === null) return 'uWebSockets.js is not installed';
  const binary = findUwsBinary(root, thisNode);
  const { platform, arch } = thisNode;
  if (binary === null) return `uWebSockets.js has no binary for Node ${process.versions.node} on ${platform} ${arch}`;
  try {
    return require(binary) as Uws;
  } catch (error) {
    return `uWebSockets.js cannot be loaded: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function packageRoot(require: NodeJS.Require): string | null {
  try {
    let folder = dirname(require.resolve('uWebSockets.js'));
    while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
    return folder;
  } catch {
    return null;
  }
}
