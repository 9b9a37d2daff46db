import { changesTo, type ModelSettings, searchSpace, startPoint } from '../../../bench/tune/model-space.js';
import type { TuneBounds } from '../../../bench/tune/options.js';
import { isWithin, type Limits, type Measurement, ranking, Search, type Trial } from '../../../bench/tune/search.js';
import { isSamePoint, type Point, sizeOf } from '../../../bench/tune/space.js';
import { bestLoadOf, type Confirmed, type TuneReport } from '../../../bench/tune/tune.js';
import { tunedConfig } from '../../../bench/tune/tuned-config.js';
import { sampleReport } from '../report/sample.js';

export interface TuneSample {
  readonly settings: Partial<ModelSettings>;
  readonly bounds: Partial<TuneBounds>;
  readonly limits: Limits;
  /** Measurements until the time is up. */
  readonly most: number;
  readonly measure: (point: Point) => Measurement;
}

const CORES = 4;

const CONFIG = `# Classifies pictures.
name: "resnet50"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "data" data_type: TYPE_FP32 dims: [ 3, 224, 224 ] } ]
output [ { name: "prob" data_type: TYPE_FP32 dims: [ 1000 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
dynamic_batching { max_queue_delay_microseconds: 0 }
`;

const SETTINGS: ModelSettings = {
  name: 'resnet50',
  scheduler: 'dynamic',
  maxBatchSize: 8,
  instances: 1,
  queueDelayUs: 0,
  hasThreads: true,
  threads: 0,
  steps: [],
};

const ANY: TuneBounds = { instances: null, maxBatchSize: null, queueDelayUs: null, threads: null, concurrency: null };

/** A model whose executions cost a fixed time and one for each row, shared by threads, on a machine that takes no more than its cores. */
export function sampleMeasure({ instances, maxBatchSize, queueDelayUs, threads, concurrency }: Point): Measurement {
  const rows = Math.max(1, Math.min(Math.max(1, maxBatchSize), concurrency / instances));
  const width = threads ?? 1;
  const crowding = Math.max(1, (instances * width) / CORES) ** 1.1;
  const executionUs = (420 + (260 * rows) / width ** 0.8) * crowding;
  const waitUs = rows < maxBatchSize ? (queueDelayUs ?? 0) : 0;
  const busy = Math.min(instances, concurrency);
  const throughput = (busy * rows * 1e6) / (executionUs + waitUs);
  // As a server that has no memory left for it.
  const failures = instances === CORES && maxBatchSize >= 64 ? 12 : 0;
  return {
    throughput,
    latencyUs: 1.45 * (concurrency / throughput) * 1e6 + 140,
    memoryBytes: (120 + 55 * instances + 2.2 * maxBatchSize) * 2 ** 20,
    failures,
    reason: failures > 0 ? 'HTTP 503: no memory' : '',
  };
}

/** A report as a search with this model gives it: the search is the real one. */
export async function sampleTuneReport(given: Partial<TuneSample> = {}): Promise<TuneReport> {
  const { limits = { latencyUs: 40_000, memoryBytes: null }, most = Infinity, measure = sampleMeasure } = given;
  const settings = { ...SETTINGS, ...given.settings };
  const space = searchSpace(settings, { ...ANY, ...given.bounds }, CORES);
  const start = startPoint(settings, space, CORES);
  let count = 0;
  const search = new Search({
    ...{ space, limits, start },
    measure: async (point) => measure(point),
    mayGoOn: () => count++ < most,
  });
  await search.run();
  const now = bestLoadOf(start, search.trials);
  const current = search.trials.length === 0 ? { ...now, result: null } : confirmed(now, limits);
  const best = ranking(search.trials)
    .slice(0, 3)
    .map((trial) => (isSamePoint(trial.point, current.point) ? current : confirmed(trial, limits)))
    .filter(({ isWithinLimits }) => isWithinLimits);
  const after = best[0] === undefined ? CONFIG : tunedConfig(CONFIG, '', changesTo(best[0].point, settings, CORES));
  return {
    format: 'conch-tune-1',
    model: settings.name,
    startedAt: '2026-03-14T09:26:53.589Z',
    command: 'conch tune resnet50 --model-repository models -l 40 --html report.html',
    cores: CORES,
    percentile: 99,
    ...{ limits, space, current, best },
    gridPoints: sizeOf(space),
    trials: search.trials,
    configFile: 'models/resnet50/config.pbtxt',
    configBefore: CONFIG,
    configAfter: after,
    isPartial: search.isCutShort,
    isInterrupted: false,
  };
}

/** The second measurement is a little below the first one, which was picked for being high. */
function confirmed({ point, measurement }: Trial, limits: Limits): Confirmed {
  const again = { ...measurement, throughput: 0.97 * measurement.throughput };
  const [result] = sampleReport({ concurrencies: [point.concurrency] }).results;
  return { point, measurement: again, isWithinLimits: isWithin(again, limits), result: result! };
}
