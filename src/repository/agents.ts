import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ModelConfig } from '../config/model-config.js';
import { invalid, ServerError } from '../types/errors.js';

type Agent = (directory: string, parameters: Readonly<Record<string, string>>) => Promise<void>;

/** The agents that there are (fact sheet 10.6). */
const agents: Readonly<Record<string, Agent>> = { checksum: verifyChecksums };

/**
 * Runs the repository agents of a model before it is loaded, in the order of its configuration. Throws where one refuses or is unknown.
 * @param directory of the model
 */
export async function runAgents(config: ModelConfig, directory: string): Promise<void> {
  for (const { name, parameters } of config.model_repository_agents?.agents ?? []) {
    const agent = Object.hasOwn(agents, name) ? agents[name] : undefined;
    if (agent === undefined) {
      const known = Object.keys(agents).map((it) => `'${it}'`);
      throw new ServerError('NOT_FOUND', `there is no repository agent '${name}'; this server has ${known.join(', ')}`);
    }
    await agent(directory, parameters);
  }
}

/** Parameters are `MD5:PATH` with the digest in hexadecimal; paths are in the model's folder. The texts are Triton's. */
async function verifyChecksums(directory: string, parameters: Readonly<Record<string, string>>): Promise<void> {
  for (const [key, expected] of Object.entries(parameters)) {
    const colon = key.indexOf(':');
    if (colon < 0) throw invalid(`failed to parse key: ${key}`);
    const algorithm = key.slice(0, colon);
    if (algorithm.toUpperCase() !== 'MD5') throw invalid(`Unsupported checksum algorithm: ${algorithm}`);
    const relative = key.slice(colon + 1);
    if (relative.split('/').includes('..')) throw invalid(`failed to parse key: ${key}: the path leaves the model`);
    const path = join(directory, relative);
    const found = await md5(path);
    if (found === expected.toLowerCase()) continue;
    throw invalid(`Mismatched MD5 hash for file ${path}, expect: ${expected}, got: ${found}`);
  }
}

async function md5(path: string): Promise<string> {
  const hash = createHash('md5');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    throw invalid(`failed to open text file for read ${path}: ${(error as Error).message}`);
  }
  return hash.digest('hex');
}
