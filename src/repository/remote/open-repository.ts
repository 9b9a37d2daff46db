import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../base/log.js';
import { parseLocation, type S3Location } from '../../config/repository-location.js';
import { invalid, ServerError } from '../../types/errors.js';
import type { Environment } from './credentials.js';
import type { RepositorySource } from './source.js';

/**
 * @param location of `--model-repository`
 * @throws ServerError where the location, its credentials or the cache folder cannot be used; the store is not asked yet
 */
export async function openRepository(
  location: string,
  log: Log,
  env: Environment = process.env,
): Promise<RepositorySource> {
  const parsed = parseLocation(location);
  if (parsed.kind === 'local') return new LocalRepository(parsed.path);
  if (process.platform === 'win32')
    throw new ServerError('UNSUPPORTED', `${parsed.url}: s3:// needs a POSIX file system`);
  const cacheFolder = join(await cacheRoot(env), cacheName(parsed, env));
  const { S3Repository } = await import('./s3-repository.js');
  const { storeLimits } = await import('./s3-store.js');
  return S3Repository.open(parsed, { env, log, limits: storeLimits, cacheFolder });
}

/**
 * Brings a repository up to date at the start. Where that fails, what is there already is served and the log says why.
 * @param needsAll models that cannot be had end the start, as models that do not load
 * @throws the ServerError of the sync where there is nothing to serve
 */
export async function syncAtStart(source: RepositorySource, needsAll: boolean, log: Log): Promise<void> {
  try {
    await source.sync();
  } catch (error) {
    const { coverage } = source;
    if (coverage === 'none' || (needsAll && coverage === 'some')) throw error;
    log.warning(`${(error as ServerError).message}; what is here already is served`);
  }
}

/** The folder itself. */
class LocalRepository implements RepositorySource {
  readonly url: string;
  readonly coverage = 'all';

  constructor(path: string) {
    this.url = path;
  }

  get directory(): string {
    return this.url;
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}
}

/** Not the folder for temporary files: there, others could put models in place before us. */
async function cacheRoot(env: Environment): Promise<string> {
  const named = env.TRITON_AWS_MOUNT_DIRECTORY ?? '';
  if (named === '') return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'conch');
  const info = await stat(named).catch(() => null);
  if (info?.isDirectory()) return named;
  const found = info === null ? 'nothing' : 'a file';
  throw invalid(
    `TRITON_AWS_MOUNT_DIRECTORY: expected a folder that exists, found ${found} at ${named}; make the folder`,
  );
}

/** One name for each place that a URL can mean. */
function cacheName({ endpoint, bucket, prefix }: S3Location, env: Environment): string {
  const host = endpoint || env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || '';
  const hash = createHash('sha256').update(`${host}\n${bucket}\n${prefix}`).digest('hex');
  return `${bucket}-${hash.slice(0, 16)}`;
}
