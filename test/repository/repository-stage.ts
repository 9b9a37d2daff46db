import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../src/base/log.js';
import type { ManagerActions } from '../../src/repository/actions.js';
import { ModelManager } from '../../src/repository/manager.js';
import { type ControlMode, ModelRepository } from '../../src/repository/model-repository.js';
import { removeOverrides } from '../../src/repository/overrides.js';
import type { ScanSettings } from '../../src/repository/scan.js';
import type { WantedModel, WantedVersion } from '../../src/repository/wanted.js';
import { TempFolder } from './temp-folder.js';

/** A version that loaded: the text of its model file, and its configuration. */
export interface Loaded {
  readonly name: string;
  readonly text: string;
  batch: number;
}

interface Parts {
  readonly mode?: ControlMode;
  readonly loadModels?: readonly string[];
  /** Folders in the stage's own; '' = that itself. */
  readonly repositories?: readonly string[];
  readonly scan?: Partial<ScanSettings>;
}

/** A repository of real folders, whose models load at once: what they are is the text in `model.onnx`; `bad` fails. */
export class RepositoryStage implements ManagerActions<Loaded> {
  readonly folder = new TempFolder();
  readonly lines: string[] = [];
  /** What happened to versions, in order. */
  readonly events: string[] = [];
  readonly manager: ModelManager<Loaded>;
  readonly repository: ModelRepository<Loaded>;
  /** What each load waits for. */
  onLoad: () => Promise<void> | void = () => {};
  /** What brings remote repositories here does. */
  onSync: (model?: string) => Promise<void> = async () => {};

  constructor({ mode = 'explicit', loadModels = [], repositories = [''], scan = {} }: Parts = {}) {
    const say = (mark: string) => (line: string) => this.lines.push(`${mark} ${line}`);
    const log = { ...silentLog, info: say('I'), warning: say('W'), error: say('E') };
    this.manager = new ModelManager<Loaded>(this, { threads: 8, retries: 0 }, log);
    const settings = {
      scan: {
        repositories: repositories.map((it) => join(this.folder.path, it)),
        configName: '',
        namespacing: false,
        ...scan,
      },
      sync: (model?: string) => this.onSync(model),
      understand: { machine: { gpus: [] }, autoComplete: true },
      mode,
      loadModels,
    };
    this.repository = new ModelRepository<Loaded>(settings, this.manager, log);
  }

  /** Writes version 1 of models, by name. */
  models(texts: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(texts)) this.folder.make({ [`${name}/1/model.onnx`]: text });
  }

  async close(): Promise<void> {
    await this.manager.unloadAll();
    this.folder.remove();
  }

  /** Writes ensembles that run models one after the other, by name. Their version folders hold what git needs to keep them. */
  ensembles(steps: Readonly<Record<string, readonly string[]>>): void {
    for (const [name, models] of Object.entries(steps)) {
      this.folder.make({ [`${name}/config.pbtxt`]: chainConfig(models), [`${name}/1/.gitkeep`]: '' });
    }
  }

  load = async (
    { name, config }: WantedModel,
    { version, directory }: WantedVersion,
    _: AbortSignal,
    steps: readonly Loaded[],
  ): Promise<Loaded> => {
    const parts = steps.map((step) => `${step.name} ${step.text}`);
    const text = steps.length > 0 ? `(${parts.join(', ')})` : readFileSync(`${directory}/model.onnx`, 'utf8');
    this.events.push(`load ${name}/${version} ${text}`);
    await this.onLoad();
    if (text === 'bad') throw new Error('no');
    return { name: `${name}/${version}`, text, batch: config!.max_batch_size };
  };

  adjust = async (loaded: Loaded, { config }: WantedModel): Promise<boolean> => {
    this.events.push(`adjust ${loaded.name}`);
    loaded.batch = config!.max_batch_size;
    return true;
  };

  unload = async (loaded: Loaded): Promise<void> => {
    this.events.push(`unload ${loaded.name} ${loaded.text}`);
  };

  discard = ({ directory }: WantedModel): Promise<void> => removeOverrides(directory);

  /** What serves: name, version and text. */
  get served(): string[] {
    return this.manager.loaded().map(({ name, text }) => `${name} ${text}`);
  }

  async index(readyOnly = false): Promise<string[]> {
    const entries = await this.repository.index(readyOnly);
    return entries.map(({ name, version = '', state = '', reason = '' }) =>
      `${name}/${version} ${state} ${reason}`.trim(),
    );
  }

  /** How a load ends: `''` = well. */
  async loads(
    name: string,
    config: string | null = null,
    files: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const contents = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
    return this.repository.load(name, { config, files: contents }).then(
      () => '',
      (error: Error & { code: string }) => `${error.code} ${error.message.replaceAll(this.folder.path, '')}`,
    );
  }
}

/** An ensemble that runs these models one after the other. */
export function chainConfig(models: readonly string[]): string {
  const tensor = (i: number) => `name: "t${i}" data_type: TYPE_FP32 dims: [ 1 ]`;
  const step = (name: string, i: number) =>
    `step { model_name: "${name}" model_version: -1 input_map { key: "x" value: "t${i}" } output_map { key: "y" value: "t${i + 1}" } }`;
  return `platform: "ensemble" input { ${tensor(0)} } output { ${tensor(models.length)} } ensemble_scheduling { ${models.map(step).join(' ')} }`;
}

/** Lets what reads real files get on until something is so; the time of the test stands still. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
