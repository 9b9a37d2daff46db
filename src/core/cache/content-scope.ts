import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { modelConfigToJson } from '../../config/config-json.js';
import { stampFiles } from '../../repository/folder.js';
import { isRead } from '../../repository/stamps.js';
import type { ModelVersionSource } from '../version-source.js';

const CHUNK_BYTES = 1 << 20;

/**
 * Names a version of a model by all that it is made of, the same on every server: its configuration and the bytes of its files, those of other versions left
 * out. Rejects where one cannot be read.
 * @param steps the scopes of the models of an ensemble
 */
export async function contentScope(source: ModelVersionSource, steps: readonly string[]): Promise<string> {
  const { name, version, directory, config } = source;
  const hash = createHash('sha256').update(JSON.stringify([modelConfigToJson(config), steps]));
  for (const { path } of await stampFiles(directory)) {
    if (isRead(path, version)) await addFile(hash, directory, path);
  }
  return `${name}/${version}/${hash.digest('base64url')}`;
}

/** Its length behind it keeps it apart from what follows. */
async function addFile(hash: Hash, folder: string, path: string): Promise<void> {
  hash.update(JSON.stringify(path));
  let bytes = 0;
  for await (const chunk of createReadStream(join(folder, path), { highWaterMark: CHUNK_BYTES })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  hash.update(`:${bytes};`);
}
