import { silentLog } from '../../src/base/log.js';
import type { ManagerActions } from '../../src/repository/actions.js';
import { type ManagerLimits, ModelManager } from '../../src/repository/manager.js';
import type { Outcome } from '../../src/repository/outcome.js';
import type { WantedModel, WantedVersion } from '../../src/repository/wanted.js';

/** A loaded version: `model/version` and what it was made of. */
export interface Thing {
  readonly name: string;
  readonly files: string;
  settings: string;
  /** What it was made of. */
  readonly steps: readonly Thing[];
}

interface Loading {
  readonly thing: Thing;
  readonly signal: AbortSignal;
  resolve(thing: Thing): void;
  reject(error: unknown): void;
}

interface Unloading {
  readonly thing: Thing;
  readonly heir: Thing | null;
  resolve(): void;
  reject(error: unknown): void;
}

/** Loads, changes and unloads when the test says so. */
export class Hand implements ManagerActions<Thing> {
  /** What is under way, in the order in which it was begun. */
  readonly loading: Loading[] = [];
  readonly unloading: Unloading[] = [];
  /** Directories. */
  readonly discarded: string[] = [];
  /** Name and new settings of what was asked to change. */
  readonly asked: string[] = [];
  /** Answers whether a thing can be changed in place. */
  adjusts: () => Promise<boolean> = async () => true;

  load = (
    model: WantedModel,
    { version, settings }: WantedVersion,
    signal: AbortSignal,
    steps: readonly Thing[],
  ): Promise<Thing> => {
    // What the version was made of when it was asked for: the manager adds its steps to that.
    const { files } = model.versions.find((it) => it.version === version)!;
    const thing = { name: `${model.name}/${version}`, files, settings, steps };
    return new Promise((resolve, reject) => this.loading.push({ thing, signal, resolve, reject }));
  };

  adjust = async (thing: Thing | null, _model: WantedModel, { settings }: WantedVersion): Promise<boolean> => {
    this.asked.push(`${thing?.name} ${settings}`);
    const isDone = await this.adjusts();
    if (isDone) thing!.settings = settings;
    return isDone;
  };

  unload = (thing: Thing, heir: Thing | null): Promise<void> =>
    new Promise((resolve, reject) => this.unloading.push({ thing, heir, resolve, reject }));

  discard = async ({ directory }: WantedModel): Promise<void> => {
    this.discarded.push(directory);
  };

  get loadingNames(): string[] {
    return this.loading.map(({ thing }) => thing.name);
  }

  /** `old` or `old -> heir`, each with its files. */
  get leaving(): string[] {
    return this.unloading.map(({ thing, heir }) =>
      heir === null ? textOf(thing) : `${textOf(thing)} -> ${textOf(heir)}`,
    );
  }

  async loaded(...names: string[]): Promise<void> {
    for (const name of names) {
      const { thing, resolve } = this.#takeLoading(name);
      resolve(thing);
    }
    await settled();
  }

  async failed(name: string, error: unknown): Promise<void> {
    this.#takeLoading(name).reject(error);
    await settled();
  }

  /** The first of this name that is being taken down. */
  async unloaded(name: string, error?: Error): Promise<void> {
    const index = this.unloading.findIndex(({ thing }) => thing.name === name);
    const [unloading] = this.unloading.splice(index, 1);
    if (error === undefined) unloading!.resolve();
    else unloading!.reject(error);
    await settled();
  }

  #takeLoading(name: string): Loading {
    const index = this.loading.findIndex(({ thing }) => thing.name === name);
    return this.loading.splice(index, 1)[0]!;
  }
}

/** `name/version:files`, of an ensemble with its steps in brackets. */
export function textOf({ name, files, steps }: Thing): string {
  return steps.length === 0 ? `${name}:${files}` : `${name}:${files}(${steps.map(textOf).join(' ')})`;
}

/** All that can run without the test has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface ModelParts {
  /** What the files of all versions are; those of one version: by `filesOf`. */
  readonly files?: string;
  readonly filesOf?: Readonly<Record<number, string>>;
  readonly settings?: string;
  /** A folder that was made for this load; '' = none was. */
  readonly temporary?: string;
}

export function model(name: string, versions: readonly number[], parts: ModelParts = {}): WantedModel {
  const { files = 'a', filesOf = {}, settings = 's', temporary = '' } = parts;
  const directory = temporary === '' ? `/r/${name}` : temporary;
  return {
    ...broken(name, '', false),
    directory,
    isTemporary: temporary !== '',
    source: null,
    versions: versions.map((version) => ({
      version,
      directory: `${directory}/${version}`,
      files: filesOf[version] ?? files,
      settings,
    })),
  };
}

/** Version 1 of an ensemble. Its steps: `name`, or `name/version`. */
export function ensemble(
  name: string,
  steps: readonly string[],
  parts: ModelParts & { namespace?: string } = {},
): WantedModel {
  const of = (text: string) => {
    const [step, version = '-1'] = text.split('/');
    return { name: step!, version: Number(version) };
  };
  return { ...model(name, [1], parts), namespace: parts.namespace ?? '', steps: steps.map(of) };
}

export function broken(name: string, problem: string, blocksReadiness: boolean, temporary = ''): WantedModel {
  return {
    name,
    namespace: '',
    steps: [],
    directory: temporary === '' ? `/r/${name}` : temporary,
    problem,
    blocksReadiness,
    config: null,
    versions: [],
    notes: [],
    isTemporary: temporary !== '',
    source: null,
  };
}

/** A manager, the hand that moves it, and what it logged: `I` information, `W` warning, `E` error. */
export class Stage {
  readonly hand: Hand;
  readonly lines: string[] = [];
  readonly manager: ModelManager<Thing>;

  constructor(limits: Partial<ManagerLimits> = {}, hand = new Hand()) {
    this.hand = hand;
    const log = {
      ...silentLog,
      info: (line: string) => this.lines.push(`I ${line}`),
      warning: (line: string) => this.lines.push(`W ${line}`),
      error: (line: string) => this.lines.push(`E ${line}`),
    };
    this.manager = new ModelManager<Thing>(this.hand, { threads: 100, retries: 0, ...limits }, log);
  }

  /** Begins to bring these models where they are wanted, and lets it get as far as it can without the hand. */
  async begin(...models: readonly WantedModel[]): Promise<{ readonly ends: Promise<Outcome[]> }> {
    const ends = Promise.all(models.map((wanted) => this.manager.apply(wanted)));
    await settled();
    return { ends };
  }

  /** Brings these models where they are wanted; every load succeeds. */
  async apply(...models: readonly WantedModel[]): Promise<Outcome[]> {
    const { ends } = await this.begin(...models);
    while (this.hand.loading.length > 0) await this.hand.loaded(this.hand.loadingNames[0]!);
    return ends;
  }

  /** What a request finds, or the error it gets. */
  find(name: string, version = ''): string {
    try {
      return textOf(this.manager.find(name, version));
    } catch (error) {
      const { code, message } = error as Error & { code: string };
      return `${code} ${message}`;
    }
  }

  /** `name/version STATE reason` of each entry of the index. */
  get index(): string[] {
    return this.manager
      .index()
      .map(({ name, version = '', state = '', reason = '' }) => `${name}/${version} ${state} ${reason}`.trim());
  }

  get isReady(): boolean {
    return this.manager.ready(true, () => true);
  }
}
