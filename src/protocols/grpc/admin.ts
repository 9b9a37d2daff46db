import type { ServedModel } from '../../core/served-model.js';
import type { InferenceServer } from '../../core/server.js';
import { asServerError, invalid, ServerError } from '../../types/errors.js';
import { loadOverrides, unloadsDependents } from '../load-request.js';
import type { AdminMethod } from './admin-method.js';
import { logSettings } from './log-settings.js';
import type { ProtoMessage } from './proto.js';
import { sharedMemoryMethods } from './shared-memory.js';
import { traceSetting } from './trace-setting.js';

/** Every method of the inference service but inference, by name. */
export const adminMethods: Readonly<Record<string, AdminMethod>> = {
  ServerLive: (server) => ({ live: server.isLive }),
  ServerReady: (server) => ({ ready: server.isReady }),
  ModelReady: (server, { name, version }) => ({ ready: isModelReady(server, name as string, version as string) }),
  ServerMetadata: (server) => server.metadata(),
  ModelMetadata: (server, { name, version }) => server.modelMetadata(name as string, version as string),
  ModelConfig: (server, { name, version }) => ({ config: server.find(name as string, version as string).config }),
  ModelStatistics: modelStatistics,
  RepositoryIndex: repositoryIndex,
  RepositoryModelLoad: async (server, request) => {
    await server.load(modelNameOf(request), loadOverrides(loadParametersOf(request)));
    return {};
  },
  RepositoryModelUnload: (server, request) => {
    server.unload(modelNameOf(request), unloadsDependents(unloadParametersOf(request)));
    return {};
  },
  ...sharedMemoryMethods,
  TraceSetting: traceSetting,
  LogSettings: logSettings,
};

/** Clients get `ready: false` for what is unknown or does not serve, not a status (fact sheet 13 item 1): examples of tritonclient ask so after an unload. */
function isModelReady(server: InferenceServer, name: string, version: string): boolean {
  try {
    return server.isModelReady(name, version);
  } catch (error) {
    const { code } = asServerError(error);
    if (code === 'NOT_FOUND' || code === 'UNAVAILABLE') return false;
    throw error;
  }
}

function modelStatistics(server: InferenceServer, { name, version }: ProtoMessage): object {
  const models = name === '' ? server.loaded() : server.loadedVersions(name as string, version as string);
  return { model_stats: models.map(statisticsOf) };
}

function statisticsOf(model: ServedModel): object {
  return { name: model.name, version: String(model.version), ...model.statistics.snapshot() };
}

async function repositoryIndex(server: InferenceServer, { repository_name, ready }: ProtoMessage): Promise<object> {
  if (repository_name !== '') throw repositoryName();
  return { models: await server.index(ready as boolean) };
}

/** KServe's message has the model's name in field 1, which is Triton's `repository_name` (fact sheet 3.2). */
function modelNameOf({ repository_name, model_name }: ProtoMessage): string {
  if (repository_name !== '' && model_name !== '') throw repositoryName();
  return (model_name === '' ? repository_name : model_name) as string;
}

/** Throws INVALID_ARGUMENT for others than `config` and `file:PATH`, and for other types (fact sheet 3.3). */
function loadParametersOf(request: ProtoMessage): Record<string, unknown> {
  const parameters = parametersOf(request);
  for (const [name, value] of Object.entries(parameters)) {
    const isConfig = name === 'config';
    if (!isConfig && !name.startsWith('file:'))
      throw invalid(`unrecognized load parameter '${name}'. A load takes 'config' and 'file:PATH'.`);
    if (isConfig ? typeof value === 'string' : value instanceof Uint8Array) continue;
    const expected = isConfig ? 'string_param' : 'bytes_param';
    throw invalid(`invalid value type for load parameter '${name}', expected ${expected}.`);
  }
  return parameters;
}

function unloadParametersOf(request: ProtoMessage): Record<string, unknown> {
  const parameters = parametersOf(request);
  const { unload_dependents = false } = parameters;
  if (typeof unload_dependents === 'boolean') return parameters;
  throw invalid("invalid value type for 'unload_dependents' parameter, expected bool_param.");
}

/** The branch that is set of each. */
function parametersOf({ parameters }: ProtoMessage): Record<string, unknown> {
  const entries = Object.entries(parameters as Record<string, { parameter_choice?: string }>);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, (value as Record<string, unknown>)[value.parameter_choice ?? '']]),
  );
}

function repositoryName(): ServerError {
  return unsupported("'repository_name' specification is not supported");
}

function unsupported(message: string): ServerError {
  return new ServerError('UNSUPPORTED', message);
}
