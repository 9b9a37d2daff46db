import type * as UwsModule from 'uWebSockets.js';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** uWebSockets.js, or an error where it has no binary for this Node: the package would then load a slow stand-in, which is no limit. */
export function loadUws(): typeof UwsModule {
  const require = createRequire(import.meta.url);
  const binaries = join(dirname(require.resolve('uWebSockets.js')), '../binaries');
  const binary = join(binaries, `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`);
  if (!existsSync(binary)) {
    throw new Error(
      `the limits of this bench are uWebSockets servers, and it has no binary for Node ${process.versions.node}: run it on Node 20`,
    );
  }
  return require('uWebSockets.js') as typeof UwsModule;
}
