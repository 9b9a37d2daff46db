import { boolean, type Effect, type Flag, integer, list, type Range, section, text } from './flag.js';

const MAX_INT32 = 2_147_483_647;
const count: Range = { min: 0, max: MAX_INT32, unit: '' };
const some: Range = { min: 1, max: MAX_INT32, unit: '' };
const port: Range = { min: 0, max: 65_535, unit: '' };
const bytes: Range = { min: 0, max: Number.MAX_SAFE_INTEGER, unit: 'bytes' };

function later(reason: string): Effect {
  return { kind: 'later', reason };
}

function none(reason: string): Effect {
  return { kind: 'none', reason };
}

/** Triton's flags that are understood and checked, and change nothing. Who makes one work moves it to `option-table.ts`. */
export const idleFlags: readonly Flag[] = [
  ...section('Model repository', none('the agents are those that come with Conch'), [
    text('repoagent-directory', '', 'DIR', 'Where repository agents lie.'),
  ]),
  ...section('Backends', later('the backends are those that come with Conch'), [
    text('backend-directory', '', 'DIR', 'Where backends lie.'),
  ]),
  ...section('HTTP', none('networking is done by one thread'), [
    integer('http-thread-count', 8, some, 'Threads of HTTP.'),
  ]),
  ...section('gRPC', none('gRPC C-core, and so Triton, keeps only clients to it'), [
    integer('grpc-http2-max-pings-without-data', 2, count, 'Pings sent between two data frames; 0 = without limit.'),
  ]),
  ...section('gRPC', none('networking is done by one thread'), [
    integer('grpc-infer-thread-count', 2, { min: 2, max: 128, unit: '' }, 'Threads of gRPC.'),
  ]),
  ...section('gRPC', none('messages are not pooled'), [
    integer('grpc-infer-allocation-pool-size', 8, count, 'Requests kept for use again.'),
    integer('grpc-max-response-pool-size', MAX_INT32, some, 'Responses kept for use again.'),
  ]),
  ...section('Metrics', none('no GPU is used, so there is nothing to report'), [
    boolean('allow-gpu-metrics', true, 'Report load and memory of the GPUs (nv_gpu_*).'),
  ]),
  ...section('Response cache', none('caches are part of Conch'), [
    text('cache-directory', '', 'DIR', 'Where caches lie.'),
  ]),
  ...section(
    'Memory and devices',
    none('tensors lie in --tensor-memory-byte-size, and ONNX Runtime manages GPU memory'),
    [
      integer('pinned-memory-pool-byte-size', 268_435_456, bytes, 'Pinned host memory.'),
      list('cuda-memory-pool-byte-size', 'GPU:BYTES', 'GPU memory for tensors (Triton: 67108864 for each GPU).'),
      list(
        'cuda-virtual-address-size',
        'GPU:BYTES',
        'Address space of growing state (Triton: 1073741824 for each GPU).',
      ),
      boolean('enable-peer-access', true, 'Copy from one GPU to another directly.'),
    ],
  ),
  ...section('Memory and devices', none('ONNX Runtime decides which GPUs it can use'), [
    {
      ...integer(
        'min-supported-compute-capability',
        0,
        { min: 0, max: 100, unit: '' },
        'Least compute capability of a GPU.',
      ),
      type: 'number',
    },
  ]),
  ...section('Memory and devices', none('tensors are copied by the thread that needs them'), [
    integer('buffer-manager-thread-count', 0, count, 'Threads that copy tensors.'),
  ]),
  ...section('Memory and devices', none('Node cannot bind its threads to cores'), [
    list('host-policy', 'NAME,KEY=VALUE', 'numa-node=N or cpu-cores=FIRST-LAST.'),
  ]),
  ...section('Memory and devices', later('the memory of a GPU is not watched'), [
    list('model-load-gpu-limit', 'GPU:FRACTION', 'Share of the memory of a GPU beyond which loads fail.'),
  ]),
  ...section('SageMaker and Vertex AI', later('there is no SageMaker endpoint'), [
    boolean('allow-sagemaker', false, 'Serve the protocol of SageMaker.'),
    integer('sagemaker-port', 8080, port, 'Port of SageMaker.'),
    text('sagemaker-safe-port-range', '', 'FIRST-LAST', 'Ports that SageMaker may use.'),
    integer('sagemaker-thread-count', 8, some, 'Threads of SageMaker.'),
  ]),
  ...section('SageMaker and Vertex AI', later('there is no Vertex AI endpoint'), [
    boolean('allow-vertex-ai', false, 'Serve the protocol of Vertex AI.'),
    integer('vertex-ai-port', 8080, port, 'Port of Vertex AI.'),
    integer('vertex-ai-thread-count', 8, some, 'Threads of Vertex AI.'),
    text('vertex-ai-default-model', '', 'NAME', 'Model that Vertex AI asks when it names none.'),
  ]),
];
