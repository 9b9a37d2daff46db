import type { ApiCategory } from '../../config/restricted-apis.js';
import type { ApiKeys } from '../api-keys.js';
import { GRPC_UNAVAILABLE } from '../status.js';
import type { GrpcHandler } from './engine.js';

/** Of each method its name and category (fact sheet 3.1). Reflection says nothing of the server but its methods: it is open. */
const categories: Readonly<Record<string, ApiCategory>> = {
  ServerLive: 'health',
  ServerReady: 'health',
  ModelReady: 'health',
  Check: 'health',
  Watch: 'health',
  ServerMetadata: 'metadata',
  ModelMetadata: 'metadata',
  ModelInfer: 'inference',
  ModelStreamInfer: 'inference',
  ModelConfig: 'model-config',
  ModelStatistics: 'statistics',
  RepositoryIndex: 'model-repository',
  RepositoryModelLoad: 'model-repository',
  RepositoryModelUnload: 'model-repository',
  SystemSharedMemoryStatus: 'shared-memory',
  SystemSharedMemoryRegister: 'shared-memory',
  SystemSharedMemoryUnregister: 'shared-memory',
  CudaSharedMemoryStatus: 'shared-memory',
  CudaSharedMemoryRegister: 'shared-memory',
  CudaSharedMemoryUnregister: 'shared-memory',
  TraceSetting: 'trace',
  LogSettings: 'logging',
  Status: 'statistics',
  Health: 'health',
  Infer: 'inference',
  StreamInfer: 'inference',
  ModelControl: 'model-repository',
  SharedMemoryControl: 'shared-memory',
};

/** Lets through only who may (`--grpc-restricted-protocol`, fact sheet 3.3); of a stream, when it opens. */
export function restrictGrpc(handler: GrpcHandler, keys: ApiKeys): GrpcHandler {
  return {
    methods: handler.methods,
    onCall(call) {
      const category = categories[call.path.slice(call.path.lastIndexOf('/') + 1)];
      const missing = category === undefined ? null : keys.missing(category, (name) => call.metadata(name));
      if (missing === null) handler.onCall(call);
      else call.end(GRPC_UNAVAILABLE, `This protocol is restricted, expecting header '${missing}'`);
    },
  };
}
