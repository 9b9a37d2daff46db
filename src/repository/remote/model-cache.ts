import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asServerError, ServerError } from '../../types/errors.js';
import { mapBounded } from '../bounded.js';
import { tryLock } from './cache-lock.js';
import type { ModelState } from './model-state.js';

/** Servers on one machine that serve the same URL. */
const SLOTS_MAX = 64;
const PARALLEL_STATS = 16;

/**
 * The state that is served, and those before it. A loaded model reads its files again when its worker restarts, and goes on with an
 * older state where a newer one does not load: that one must still be there. Files that did not change are hard links, so they are
 * on the disk once.
 */
const STATES_KEPT = 3;

/**
 * Models of one store on this machine's disk. Each server has a slot of its own, so that two with the same URL never touch each
 * other's files; a slot is found again after a restart.
 *
 *     0/lock                               held while a server uses the slot
 *     0/downloads/                         what is being made; emptied at the start
 *     0/states/MODEL/ID/files/             one state of a model, complete
 *     0/states/MODEL/ID/state.json         its objects with ETags and sizes
 *     0/models/MODEL -> ../states/MODEL/ID/files      the state that counts: the repository that is served
 *
 * A state is made in `downloads`, moved to its place in one step, and becomes the one that counts in another: whoever looks at
 * `models` sees a model as the store had it at one moment, also after a crash.
 */
export class ModelCache {
  readonly #slot: string;
  readonly #lock: FileHandle;
  readonly #current = new Map<string, ModelState>();

  private constructor(slot: string, lock: FileHandle) {
    this.#slot = slot;
    this.#lock = lock;
  }

  /** @throws INTERNAL where the folder cannot be made or written */
  static async open(folder: string): Promise<ModelCache> {
    try {
      for (let number = 0; number < SLOTS_MAX; number++) {
        const slot = join(folder, String(number));
        // Models are programs: nobody else may put one here.
        await mkdir(slot, { recursive: true, mode: 0o700 });
        const lock = await tryLock(join(slot, 'lock'));
        if (lock === null) continue;
        const cache = new ModelCache(slot, lock);
        await cache.#restore();
        return cache;
      }
    } catch (error) {
      throw cacheError(folder, error);
    }
    throw new ServerError('RESOURCE_EXHAUSTED', `${SLOTS_MAX} servers use the cache folder ${folder} already`);
  }

  /** A model repository as any other. */
  get directory(): string {
    return join(this.#slot, 'models');
  }

  /** Models that are there, in no order. */
  get models(): string[] {
    return [...this.#current.keys()];
  }

  current(model: string): ModelState | null {
    return this.#current.get(model) ?? null;
  }

  /** Where the file of a model that counts is. */
  fileOf(model: string, path: string): string {
    return join(this.directory, model, path);
  }

  /** A new folder in which files of a state can be made; `publish` or `discard` follows. */
  async begin(): Promise<string> {
    const folder = join(this.#slot, 'downloads', randomUUID());
    await mkdir(join(folder, 'files'), { recursive: true });
    return folder;
  }

  async discard(made: string): Promise<void> {
    await rm(made, { recursive: true, force: true });
  }

  /** Makes what was made in `made/files` the state that counts. */
  async publish(model: string, state: ModelState, made: string): Promise<void> {
    await writeFile(join(made, 'state.json'), JSON.stringify(state));
    const states = join(this.#slot, 'states', model);
    await mkdir(states, { recursive: true });
    const place = join(states, state.id);
    // The store went back to an older state. It is made anew: its files may be damaged since.
    await rm(place, { recursive: true, force: true });
    // Before the new state can be seen: a link that goes changes the time of the file that it shares with others, and that time
    // says whether a model changed.
    await this.#forget(states, STATES_KEPT - 1);
    await rename(made, place);
    const link = join(this.#slot, 'downloads', randomUUID());
    await symlink(join('..', 'states', model, state.id, 'files'), link);
    await rename(link, join(this.directory, model));
    this.#current.set(model, state);
  }

  /** It does not count any more; its states stay until `dropStates`, because it may still be loaded. */
  async remove(model: string): Promise<void> {
    await rm(join(this.directory, model), { recursive: true, force: true });
    this.#current.delete(model);
  }

  async dropStates(model: string): Promise<void> {
    await rm(join(this.#slot, 'states', model), { recursive: true, force: true });
  }

  /** Whether a whole store was brought here once: its models are all there, or it has none. */
  async isComplete(): Promise<boolean> {
    return (await stat(join(this.#slot, 'complete')).catch(() => null)) !== null;
  }

  async setComplete(complete: boolean): Promise<void> {
    if (complete) await writeFile(join(this.#slot, 'complete'), '');
    else await rm(join(this.#slot, 'complete'), { force: true });
  }

  /** The files stay for the next start. */
  async close(): Promise<void> {
    await this.#lock.close();
  }

  /** What an earlier server left: states that are whole count again, everything else goes. */
  async #restore(): Promise<void> {
    await rm(join(this.#slot, 'downloads'), { recursive: true, force: true });
    for (const name of ['downloads', 'models', 'states']) await mkdir(join(this.#slot, name), { recursive: true });
    for (const model of await readdir(this.directory)) {
      const state = await readState(join(this.directory, model)).catch(() => null);
      if (state !== null) this.#current.set(model, state);
      else await this.#lose(model);
    }
    const kept = await readdir(join(this.#slot, 'states'));
    for (const model of kept) if (!this.#current.has(model)) await this.dropStates(model);
  }

  async #lose(model: string): Promise<void> {
    await this.setComplete(false);
    await this.remove(model);
  }

  /** Removes the oldest states until `left` are left. */
  async #forget(states: string, left: number): Promise<void> {
    const names = await readdir(states);
    const times = await Promise.all(names.map(async (name) => (await stat(join(states, name))).mtimeMs));
    const byAge = names.map((name, index) => ({ name, ms: times[index]! })).sort((a, b) => b.ms - a.ms);
    for (const { name } of byAge.slice(left)) await rm(join(states, name), { recursive: true });
  }
}

/** What went wrong on this machine's disk. Other errors are passed on as they are. */
export function cacheError(folder: string, error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  const { message } = asServerError(error);
  const mend = 'make it writable, free space there, or name another folder in TRITON_AWS_MOUNT_DIRECTORY';
  return new ServerError('INTERNAL', `the cache folder ${folder} cannot be used: ${message}; ${mend}`);
}

/** Rejects where files are missing or have other sizes: after a power cut a file may be empty. */
async function readState(link: string): Promise<ModelState> {
  const files = join(dirname(link), await readlink(link));
  const state = JSON.parse(await readFile(join(dirname(files), 'state.json'), 'utf8')) as ModelState;
  if (state.id !== basename(dirname(files))) throw new Error(`${link} leads to another state`);
  await mapBounded(state.objects, PARALLEL_STATS, async ({ path, bytes }) => {
    const info = await stat(join(files, path));
    if (!path.endsWith('/') && info.size !== bytes) throw new Error(`${path} has ${info.size} of ${bytes} bytes`);
  });
  return state;
}
