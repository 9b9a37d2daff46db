import { createLog } from '../../../src/base/log.js';
import { packageVersion } from '../../../src/cli.js';
import { Conch } from '../../../src/conch.js';
import { buildOptions } from '../../../src/config/build-options.js';
import { modelConfigToJson } from '../../../src/config/config-json.js';
import type { InferenceServer } from '../../../src/core/server.js';
import { traceSettings } from '../../../src/protocols/trace-settings.js';
import { type Facts, type ListedVersion, type ModelName, readIndex } from '../target/facts.js';
import { notReadyIn } from '../target/not-ready.js';
import { type V2Calls, V2Target } from '../target/v2-target.js';

const QUIET = { verbose: 0, info: false, warning: false, error: false, format: 'default', file: '' } as const;

const CACHE_BYTES = 64 << 20;

/** The server in this process, without any network: what is asked of it is asked of its core. */
export class InProcessTarget extends V2Target {
  protected readonly url = 'the server in this process';
  protected readonly calls: V2Calls;
  readonly #conch: Conch;

  private constructor(conch: Conch) {
    super();
    this.#conch = conch;
    const { server } = conch;
    this.calls = {
      serverMetadata: async () => factsOf(server.metadata()),
      modelMetadata: async ({ name, version }) => factsOf(server.modelMetadata(name, version)),
      modelConfig: async ({ name, version }) => JSON.parse(modelConfigToJson(server.find(name, version).config)),
      statistics: async (model) => statisticsOf(server, model),
      isReady: async (model) => isReady(await indexOf(server), model),
      repositoryIndex: () => indexOf(server),
    };
  }

  /**
   * Loads models of these folders, and those of the steps of ensembles. Rejects with an error that says why one could not be loaded.
   * @param models `*` among them = all that are there; models written in code must be told with those that they call
   */
  static async start(repositories: readonly string[], models: readonly string[]): Promise<InProcessTarget> {
    const given = new Map([
      ...['allow-http', 'allow-grpc', 'allow-metrics', 'exit-on-error'].map((flag) => [flag, ['false']] as const),
      ['model-control-mode', ['explicit']] as const,
      // For models that have one enabled.
      ['cache-config', [`local,size=${CACHE_BYTES}`]] as const,
      ['load-model', models.includes('*') ? ['*'] : models] as const,
    ]);
    const { options } = buildOptions(given, repositories);
    const conch = new Conch(options, packageVersion(), createLog(QUIET));
    try {
      await conch.start();
      const names = models.filter((name) => name !== '*');
      checkLoaded(await indexOf(conch.server), names, repositories.join(', '));
    } catch (error) {
      await conch.stop();
      throw error;
    }
    return new InProcessTarget(conch);
  }

  get core(): InferenceServer {
    return this.#conch.server;
  }

  async registerRegion(): Promise<void> {
    throw new Error('nothing is sent to a server in this process: leave out --shared-memory');
  }

  async unregisterRegion(): Promise<void> {}

  async setTrace(model: string, settings: Readonly<Record<string, string | readonly string[]>>): Promise<void> {
    const wanted = Object.entries(settings).map(([name, value]) => [name, [value].flat()] as const);
    traceSettings(this.core, model, new Map(wanted));
  }

  /** Resolves when what is in flight is answered and all threads have ended. */
  async close(): Promise<void> {
    await this.#conch.stop();
  }
}

function checkLoaded(index: readonly ListedVersion[], models: readonly string[], repositories: string): void {
  const missing = models.map((name) => ({ name, version: '' })).find((model) => !isReady(index, model));
  if (missing !== undefined) throw new Error(notReadyIn(index, missing, repositories).why);
}

async function indexOf(server: InferenceServer): Promise<ListedVersion[]> {
  return readIndex(await server.index(false));
}

function isReady(index: readonly ListedVersion[], { name, version }: ModelName): boolean {
  return index.some((listed) => {
    const isAsked = listed.name === name && (version === '' || listed.version === version);
    return isAsked && listed.state === 'READY';
  });
}

function statisticsOf(server: InferenceServer, { name, version }: ModelName): Facts {
  const versions = server.loadedVersions(name, version);
  return {
    model_stats: versions.map((model) => ({
      name: model.name,
      version: String(model.version),
      ...model.statistics.snapshot(),
    })),
  };
}

/** Interfaces have no index signature. */
function factsOf(value: object): Facts {
  return { ...value };
}
