import { copyFile, link, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../base/log.js';
import type { S3Location } from '../../config/repository-location.js';
import { asServerError, ServerError } from '../../types/errors.js';
import { mapBounded } from '../bounded.js';
import type { Environment } from './credentials.js';
import { download } from './download.js';
import { cacheError, ModelCache } from './model-cache.js';
import { type ListedObject, type ModelState, modelState, nameProblem, planState, wrongKey } from './model-state.js';
import { S3Store, type StoreLimits } from './s3-store.js';
import type { RepositorySource } from './source.js';
import { ObjectChanged } from './store-error.js';
import { Turns } from './turns.js';

const PARALLEL_MODELS = 4;
/** Of one model. */
const PARALLEL_OBJECTS = 8;
const PARALLEL_LINKS = 16;
/** A model that changes while it is brought here is looked at so often. */
const LOOKS_MAX = 5;

export interface S3Surroundings {
  readonly env: Environment;
  readonly log: Log;
  readonly limits: StoreLimits;
  /** Where the caches of all repositories are. */
  readonly cacheFolder: string;
}

/** What one model's sync did; null = nothing was to be done. */
type Change =
  | { readonly kind: 'removed' }
  | { readonly kind: 'changed'; readonly files: number; readonly bytes: number };

/** A bucket, brought to this machine model by model. One model's troubles do not touch the others. */
export class S3Repository implements RepositorySource {
  readonly url: string;
  readonly #store: S3Store;
  readonly #cache: ModelCache;
  readonly #log: Log;
  readonly #retryMs: number;
  /** Aborted when the server ends. */
  readonly #end = new AbortController();
  readonly #turns = new Turns();
  /** Models that a sync found gone: whoever served them has heard of it by the next one. */
  readonly #gone = new Set<string>();
  #isComplete: boolean;

  private constructor(store: S3Store, cache: ModelCache, isComplete: boolean, log: Log, retryMs: number) {
    this.url = store.names.url;
    this.#store = store;
    this.#cache = cache;
    this.#isComplete = isComplete;
    this.#log = log;
    this.#retryMs = retryMs;
  }

  /** Asks nothing of the store. Throws where credentials cannot be read or the cache folder cannot be used. */
  static async open(location: S3Location, { env, log, limits, cacheFolder }: S3Surroundings): Promise<S3Repository> {
    const store = await S3Store.open(location, env, limits);
    const cache = await ModelCache.open(cacheFolder);
    return new S3Repository(store, cache, await cache.isComplete(), log, limits.retryMs);
  }

  get directory(): string {
    return this.#cache.directory;
  }

  get coverage(): 'none' | 'some' | 'all' {
    if (this.#isComplete) return 'all';
    return this.#cache.models.length === 0 ? 'none' : 'some';
  }

  async sync(model?: string): Promise<void> {
    try {
      if (model === undefined) await this.#syncAll();
      else await this.#syncModel(model, null);
    } catch (error) {
      if (this.#end.signal.aborted) throw new ServerError('UNAVAILABLE', `${this.url}: the server is stopping`);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#end.abort(new ServerError('UNAVAILABLE', `${this.url}: the server is stopping`));
    await this.#turns.idle();
    this.#store.close();
    await this.#cache.close();
  }

  async #syncAll(): Promise<void> {
    const gone = [...this.#gone];
    const { models, isEmpty } = await this.#store.list(this.#end.signal);
    if (isEmpty && this.#store.folderKey !== '') throw this.#nothingThere();
    const names = [...new Set([...models.keys(), ...this.#cache.models])];
    const failures = new Map<string, ServerError>();
    await mapBounded(names, PARALLEL_MODELS, async (model) => {
      const listing = models.has(model) ? (models.get(model) ?? null) : [];
      await this.#syncModel(model, listing).catch((error) => failures.set(model, asServerError(error)));
    });
    this.#end.signal.throwIfAborted();
    for (const model of gone) await this.#turns.take(model, () => this.#dropGone(model));
    await this.#setComplete([...failures.keys()].every((model) => this.#cache.current(model) !== null));
    const [first] = failures.values();
    if (first === undefined) return;
    throw new ServerError(first.code, [...failures.values()].map(({ message }) => message).join('\n'));
  }

  async #setComplete(isComplete: boolean): Promise<void> {
    this.#isComplete = isComplete;
    await this.#cache.setComplete(isComplete).catch((error) => {
      throw cacheError(this.directory, error);
    });
  }

  #nothingThere(): ServerError {
    const { bucket } = this.#store.names;
    const key = this.#store.folderKey;
    return new ServerError(
      'NOT_FOUND',
      `${this.url}: expected a folder for each model, found no object below '${key}' in the bucket '${bucket}'; ` +
        `correct the path, or put an empty object with the key '${key}' there where no models are meant`,
    );
  }

  /** Rejects with the model's name in the text. `listing` is what is known of it; null = nothing. */
  async #syncModel(model: string, listing: readonly ListedObject[] | null): Promise<void> {
    const problem = nameProblem(model);
    if (problem !== '') throw this.#about(model, wrongKey(this.#store.prefixOf(model), problem));
    const change = await this.#turns
      .take(model, () => this.#bringHere(model, listing))
      .catch((error) => {
        this.#end.signal.throwIfAborted();
        throw this.#about(model, error);
      });
    if (change?.kind === 'removed') this.#log.info(`${this.url}: model '${model}' is gone`);
    if (change?.kind === 'changed') {
      this.#log.info(
        `${this.url}: model '${model}' is here, ${change.files} files (${change.bytes} bytes) were downloaded`,
      );
    }
  }

  #about(model: string, error: unknown): ServerError {
    const { code, message } = cacheError(this.directory, error);
    const text = message.startsWith(this.url) ? message : `${this.url}: ${message}`;
    const rest = this.#cache.current(model) === null ? '' : '; it stays as it was';
    return new ServerError(code, `model '${model}': ${text}${rest}`);
  }

  /** Makes the model what two listings say, one before its files are downloaded and one after. */
  async #bringHere(model: string, listing: readonly ListedObject[] | null): Promise<Change | null> {
    let why = '';
    for (let look = 0; look < LOOKS_MAX; look++) {
      const state = await this.#look(model, look === 0 ? listing : null);
      if (state.objects.length === 0) return this.#remove(model);
      if (state.id === this.#cache.current(model)?.id) return null;
      try {
        const change = await this.#make(model, state);
        if (change !== null) return change;
        why = 'its objects were others after the download than before';
      } catch (error) {
        if (!(error instanceof ObjectChanged)) throw error;
        why = error.message;
      }
    }
    const mend = 'upload a new version into a folder of its own, and the configuration last';
    throw new ServerError(
      'UNAVAILABLE',
      `it changed each of ${LOOKS_MAX} times while it was downloaded (${why}); ${mend}`,
    );
  }

  async #look(model: string, listing: readonly ListedObject[] | null): Promise<ModelState> {
    return modelState(this.#store.prefixOf(model), listing ?? (await this.#store.listModel(model, this.#end.signal)));
  }

  /** Null = the model changed meanwhile. */
  async #make(model: string, state: ModelState): Promise<Change | null> {
    const made = await this.#cache.begin();
    try {
      const plan = planState(state, this.#cache.current(model));
      const target = (path: string) => join(made, 'files', path);
      for (const folder of plan.folders) await mkdir(target(folder));
      await mapBounded(plan.reused, PARALLEL_LINKS, ({ path }) =>
        takeOver(this.#cache.fileOf(model, path), target(path)),
      );
      await all(plan.downloaded, PARALLEL_OBJECTS, this.#end.signal, (object, signal) => {
        return download(this.#store, object, target(object.path), this.#retryMs, signal);
      });
      if ((await this.#look(model, null)).id !== state.id) return null;
      await this.#cache.publish(model, state, made);
      this.#gone.delete(model);
      const bytes = plan.downloaded.reduce((sum, object) => sum + object.bytes, 0);
      return { kind: 'changed', files: plan.downloaded.length, bytes };
    } finally {
      await this.#cache.discard(made);
    }
  }

  async #remove(model: string): Promise<Change | null> {
    if (this.#cache.current(model) === null) return null;
    await this.#cache.remove(model);
    this.#gone.add(model);
    return { kind: 'removed' };
  }

  async #dropGone(model: string): Promise<void> {
    if (this.#gone.delete(model)) await this.#cache.dropStates(model);
  }
}

/** The same file under another name; a copy where the file system has no hard links. */
async function takeOver(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to));
}

/** Like `mapBounded`, but after the first failure the others are stopped, and it rejects when nothing is under way any more. */
async function all<T>(
  items: readonly T[],
  limit: number,
  end: AbortSignal,
  run: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, end]);
  await mapBounded(items, limit, async (item) => {
    if (!signal.aborted) await run(item, signal).catch((error) => stop.abort(error));
  });
  signal.throwIfAborted();
}
