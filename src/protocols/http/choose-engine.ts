import { ServerError } from '../../types/errors.js';
import type { HttpEngine } from './engine.js';
import { loadUws, type Uws } from './uws-binary.js';

/** `--http-engine`. */
export type HttpEngineChoice = 'auto' | 'uws' | 'net';

export interface ChosenHttpEngine {
  readonly engine: HttpEngine;
  /** For the log: which engine it is and how to get the other. */
  readonly line: string;
}

/** Installed beside this package, or in the folder the server is started from, it is found. */
const HOW_TO_GET_UWS = 'npm i uNetworking/uWebSockets.js#v20.58.0';

/**
 * `auto` is `net`, which is faster for small requests, the same on every Node, and takes what uWebSockets cannot (docs/decisions.md).
 * The other engine is not read from disk. `load` gives the module of uWebSockets, or in words why it cannot be had.
 */
export async function chooseHttpEngine(
  choice: HttpEngineChoice,
  load: () => Uws | string = loadUws,
): Promise<ChosenHttpEngine> {
  if (choice !== 'uws') {
    const { NetEngine } = await import('./net.js');
    return { engine: new NetEngine(), line: 'HTTP engine net (--http-engine=uws takes uWebSockets.js)' };
  }
  const uws = load();
  if (typeof uws !== 'string') {
    const { UwsEngine } = await import('./uws.js');
    return { engine: new UwsEngine(uws), line: 'HTTP engine uws (--http-engine=net takes the other)' };
  }
  throw new ServerError('UNSUPPORTED', `--http-engine=uws: ${uws}. To get it: ${HOW_TO_GET_UWS}, or --http-engine=net`);
}
