import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { knownNames } from '../load/target/known-names.js';
import type { Candidate } from './space.js';
import { tunedConfig } from './tuned-config.js';

const CONFIG = 'config.pbtxt';

/**
 * A repository with the models of another one, by reference, but for the configuration of one of them. The other one is never written.
 * Gone with `remove`, or at the end of the process.
 */
export class RepositoryOverlay {
  readonly folder: string;
  /** Of the model, '' = it has no file. */
  readonly configText: string;
  readonly configFile: string;
  readonly #model: string;
  readonly #removeAtExit = () => rmSync(this.folder, { recursive: true, force: true });

  private constructor(model: string, configFile: string, configText: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'conch-tune-'));
    process.once('exit', this.#removeAtExit);
    this.#model = model;
    this.configFile = configFile;
    this.configText = configText;
  }

  /** Rejects where there is no such folder or model. */
  static async create(repository: string, model: string): Promise<RepositoryOverlay> {
    const names = await entriesOf(repository, `--model-repository ${repository}`);
    if (!names.includes(model)) {
      throw new Error(`--model-repository ${repository} has no model '${model}': ${knownNames(names, model)}`);
    }
    const source = resolve(repository);
    const configFile = join(source, model, CONFIG);
    const overlay = new RepositoryOverlay(model, configFile, await readIfThere(configFile));
    try {
      await overlay.#fill(source, names);
    } catch (error) {
      await overlay.remove();
      throw error;
    }
    return overlay;
  }

  async #fill(source: string, names: readonly string[]): Promise<void> {
    const { folder } = this;
    const model = this.#model;
    await mkdir(join(folder, model));
    for (const name of names) if (name !== model) await symlink(join(source, name), join(folder, name));
    for (const name of await readdir(join(source, model))) {
      if (name !== CONFIG) await symlink(join(source, model, name), join(folder, model, name));
    }
  }

  /** @returns the text of the configuration with these values */
  textWith(changes: Partial<Candidate>): string {
    return tunedConfig(this.configText, this.configFile, changes);
  }

  /** The model has this configuration from now on; '' = no file. */
  async write(text: string): Promise<void> {
    const file = join(this.folder, this.#model, CONFIG);
    if (text === '') await rm(file, { force: true });
    else await writeFile(file, text);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    process.off('exit', this.#removeAtExit);
  }
}

async function entriesOf(folder: string, flag: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name);
  } catch (error) {
    throw new Error(`${flag}: ${(error as Error).message}`);
  }
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
