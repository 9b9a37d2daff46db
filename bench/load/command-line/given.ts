import type { GivenRange, Header, Parameters, Shapes } from './values.js';

/** What a command line says, by the names of the flags; undefined = it does not. */
export interface Given {
  readonly model?: string;
  readonly modelVersion?: string;
  readonly url?: string;
  readonly protocol?: 'http' | 'grpc' | 'ws';
  readonly streaming?: true;
  readonly serviceKind?: 'triton' | 'in_process' | RefusedServiceKind;
  readonly modelRepository?: readonly string[];
  readonly loadModel?: readonly string[];
  readonly header?: readonly Header[];
  readonly connections?: number;
  readonly requestTimeoutMs?: number;
  readonly grpcCompressionAlgorithm?: 'none' | 'gzip' | 'deflate';

  readonly concurrencyRange?: GivenRange;
  readonly requestRateRange?: GivenRange;
  readonly requestDistribution?: 'constant' | 'poisson';
  readonly requestIntervals?: string;
  readonly loadProfile?: string;
  readonly periodicConcurrencyRange?: GivenRange;
  readonly requestPeriod?: number;
  readonly binarySearch?: true;
  readonly latencyThreshold?: number;
  readonly maxThreads?: number;

  readonly measurementMode?: 'time_windows' | 'count_windows';
  readonly measurementInterval?: number;
  readonly measurementRequestCount?: number;
  readonly requestCount?: number;
  readonly stabilityPercentage?: number;
  readonly maxTrials?: number;
  readonly percentile?: number;
  readonly warmupRequestCount?: number;
  readonly warmupInterval?: number;

  readonly batchSize?: number;
  readonly inputData?: readonly string[];
  readonly shape?: Shapes;
  readonly stringLength?: number;
  readonly stringData?: string;
  readonly seed?: number;
  readonly sharedMemory?: 'none' | 'system' | 'cuda';
  readonly outputSharedMemorySize?: number;
  readonly inputTensorFormat?: 'binary' | 'json';
  readonly outputTensorFormat?: 'binary' | 'json';
  readonly requestParameter?: Parameters;

  readonly sequenceLength?: number;
  readonly sequenceLengthVariation?: number;
  readonly sequenceIdRange?: { readonly first: number; readonly last: number };
  readonly numOfSequences?: number;
  readonly serialSequences?: true;

  readonly csv?: string;
  readonly verboseCsv?: true;
  readonly json?: string;
  readonly html?: string;
  readonly label?: string;
  readonly quiet?: true;
  readonly color?: 'auto' | 'always' | 'never';
  readonly collectMetrics?: true;
  readonly metricsUrl?: string;
  readonly metricsInterval?: number;

  readonly traceLevel?: readonly string[];
  readonly traceRate?: number;
  readonly traceCount?: string;
  readonly logFrequency?: number;

  readonly sslGrpcUseSsl?: boolean;
  readonly sslGrpcRootCertificationsFile?: string;
  readonly sslGrpcPrivateKeyFile?: string;
  readonly sslGrpcCertificateChainFile?: string;
  readonly sslHttpsVerifyPeer?: number;
  readonly sslHttpsVerifyHost?: number;
  readonly sslHttpsCaCertificatesFile?: string;
  readonly sslHttpsClientCertificateFile?: string;
  readonly sslHttpsClientCertificateType?: 'pem' | 'der';
  readonly sslHttpsPrivateKeyFile?: string;
  readonly sslHttpsPrivateKeyType?: 'pem' | 'der';

  readonly async?: true;
  readonly sync?: true;
  readonly verbose?: true;
  readonly concurrency?: number;
  readonly maxConcurrency?: number;
  readonly dynamicConcurrency?: true;
  readonly zeroInput?: true;
  readonly dataDirectory?: string;

  readonly endpoint?: string;
  readonly modelSignatureName?: string;
  readonly tritonServerDirectory?: string;
  readonly blsComposingModels?: string;
  readonly profileExportFile?: string;
}

type RefusedServiceKind = 'triton_c_api' | 'openai' | 'tfserving' | 'torchserve';
