import type { Model } from '../../core/model.js';
import type { InferenceServer } from '../../core/server.js';
import { ServerError } from '../../types/errors.js';
import type { ProtoMessage } from './proto.js';

/** Answers a request with a message of the method's response type; throws ServerErrors. */
export type AdminMethod = (server: InferenceServer, request: ProtoMessage) => object;

/** Every method of the inference service but inference, by name: answered at once, from what the server knows. */
export const adminMethods: Readonly<Record<string, AdminMethod>> = {
  ServerLive: (server) => ({ live: server.isLive }),
  ServerReady: (server) => ({ ready: server.isReady }),
  ModelReady: (server, { name, version }) => ({ ready: server.isModelReady(name as string, version as string) }),
  ServerMetadata: (server) => server.metadata(),
  ModelMetadata: (server, { name, version }) => server.modelMetadata(name as string, version as string),
  ModelConfig: (server, { name, version }) => ({ config: server.find(name as string, version as string).config }),
  ModelStatistics: modelStatistics,
  RepositoryIndex: repositoryIndex,
  RepositoryModelLoad: (_server, request) => refuseModelControl('loaded', request),
  RepositoryModelUnload: (_server, request) => refuseModelControl('unloaded', request),
  SystemSharedMemoryStatus: refuseSharedMemory,
  SystemSharedMemoryRegister: refuseSharedMemory,
  SystemSharedMemoryUnregister: refuseSharedMemory,
  CudaSharedMemoryStatus: refuseSharedMemory,
  CudaSharedMemoryRegister: refuseSharedMemory,
  CudaSharedMemoryUnregister: refuseSharedMemory,
  TraceSetting: () => {
    throw unsupported('requests are not traced: there are no trace settings');
  },
  LogSettings: () => {
    throw unsupported('log settings cannot be changed while the server runs: give it --log-verbose and its kin');
  },
};

function modelStatistics(server: InferenceServer, { name, version }: ProtoMessage): object {
  const models = name === '' ? server.loaded() : server.loadedVersions(name as string, version as string);
  return { model_stats: models.map(statisticsOf) };
}

function statisticsOf(model: Model): object {
  return { name: model.name, version: String(model.version), ...model.statistics.snapshot() };
}

function repositoryIndex(server: InferenceServer, { repository_name, ready }: ProtoMessage): object {
  if (repository_name !== '') throw repositoryName();
  return { models: server.index(ready as boolean) };
}

/** KServe's message has the model's name in field 1, which is Triton's `repository_name` (fact sheet 3.2). */
function refuseModelControl(what: string, { repository_name, model_name }: ProtoMessage): never {
  if (repository_name !== '' && model_name !== '') throw repositoryName();
  const name = model_name === '' ? repository_name : model_name;
  throw unsupported(`model '${name}' cannot be ${what} by a request: all models are loaded when the server starts`);
}

function refuseSharedMemory(): never {
  throw unsupported('shared memory of clients is off: send the tensors in the request');
}

function repositoryName(): ServerError {
  return unsupported("'repository_name' specification is not supported");
}

function unsupported(message: string): ServerError {
  return new ServerError('UNSUPPORTED', message);
}
