import type { LoadReport, LoadResult, ServerShare } from '../report.js';
import { levelOf } from '../search/next-load.js';

/** The columns of perf_analyzer's `-f`, in its order (`ReportWriter::GenerateReport`). Times in whole microseconds. */
type Column = readonly [head: string, cell: (result: LoadResult) => string | number];

/** Rows with growing throughput, as perf_analyzer sorts them. */
export function csvOf(report: LoadReport, isVerbose: boolean): string {
  const columns = columnsOf(report, isVerbose);
  const rows = report.results.toSorted((a, b) => a.throughput - b.throughput);
  const lines = [
    columns.map(([head]) => head),
    ...rows.map((result) => columns.map(([, cell]) => numberText(cell(result)))),
  ];
  return lines.map((cells) => `${cells.join(',')}\n`).join('');
}

function columnsOf(report: LoadReport, isVerbose: boolean): Column[] {
  const { results, model } = report;
  const hasServer = results.some(({ models }) => models.length > 0);
  const isClosed = results.every(({ load }) => load.kind === 'closed');
  return [
    [isClosed ? 'Concurrency' : 'Request Rate', ({ load }) => levelOf(load)],
    ['Inferences/Second', ({ throughput }) => throughput],
    ...when(model.isDecoupled, [['Response Throughput', ({ responsesPerSecond: rate }) => rate]]),
    ['Client Send', ({ client }) => whole(client.sendUs)],
    ...when(hasServer, serverColumns(results)),
    ['Client Recv', ({ client }) => whole(client.receiveUs)],
    ...percentileColumns(report),
    ...when(isVerbose, verboseColumns(report)),
  ];
}

function when(condition: boolean, columns: readonly Column[]): readonly Column[] {
  return condition ? columns : [];
}

function serverColumns(results: readonly LoadResult[]): Column[] {
  const of = (part: (model: ServerShare) => number) => (result: LoadResult) => {
    const model = result.models[0];
    return model === undefined ? 0 : whole(part(model));
  };
  const usesCache = results.some(({ models }) =>
    models.some(({ cacheHits, cacheMisses }) => cacheHits + cacheMisses > 0),
  );
  return [
    ['Network+Server Send/Recv', networkUs],
    ['Server Queue', of(({ queueUs }) => queueUs)],
    ['Server Compute Input', of(({ computeInputUs }) => computeInputUs)],
    ['Server Compute Infer', of(({ computeInferUs }) => computeInferUs)],
    ['Server Compute Output', of(({ computeOutputUs }) => computeOutputUs)],
    ...when(usesCache, [
      ['Server Cache Hit', of(({ cacheHitUs }) => cacheHitUs)],
      ['Server Cache Miss', of(({ cacheMissUs }) => cacheMissUs)],
    ]),
  ];
}

/** What is left of the latency when client, queue and computing are taken away. An ensemble's own times are those of its steps together. */
function networkUs(result: LoadResult): number {
  const model = result.models[0];
  const server =
    model === undefined ? 0 : model.queueUs + model.computeInputUs + model.computeInferUs + model.computeOutputUs;
  return Math.max(whole(result.latency.mean - result.client.sendUs - result.client.receiveUs - server), 0);
}

function percentileColumns({ percentile }: LoadReport): Column[] {
  const all = new Set(percentile === null ? [50, 90, 95, 99] : [50, 90, 95, 99, percentile]);
  return [...all]
    .sort((a, b) => a - b)
    .map((value) => [`p${value} latency`, ({ latency }) => whole(latency.percentiles[String(value)]!)]);
}

function verboseColumns({ percentile, results }: LoadReport): Column[] {
  const request = ({ client }: LoadResult) => client.sendUs + client.receiveUs;
  return [
    ...when(percentile === null, [['Avg latency', ({ latency }) => whole(latency.mean)]]),
    ['request/response', (result) => whole(request(result))],
    ['response wait', (result) => Math.max(whole(result.latency.mean - request(result)), 0)],
    ...when(
      results.some(({ metrics }) => metrics !== null),
      [
        ['Avg GPU Utilization', gpuCell('nv_gpu_utilization', 'mean')],
        ['Avg GPU Power Usage', gpuCell('nv_gpu_power_usage', 'mean')],
        ['Max GPU Memory Usage', gpuCell('nv_gpu_memory_used_bytes', 'max')],
        ['Total GPU Memory', gpuCell('nv_gpu_memory_total_bytes', 'max')],
      ],
    ),
  ];
}

/** `UUID:VALUE;` for each GPU; empty where the server has none. */
function gpuCell(metric: string, part: 'mean' | 'max') {
  return ({ metrics }: LoadResult): string =>
    Object.entries(metrics ?? {})
      .filter(([name]) => name.startsWith(`${metric}{`))
      .map(([name, value]) => `${/gpu_uuid="([^"]*)"/.exec(name)?.[1] ?? ''}:${numberText(value[part])};`)
      .join('');
}

function whole(us: number): number {
  return Math.floor(us);
}

/** Six digits, as C++ streams write numbers, but never with an exponent. */
function numberText(value: string | number): string {
  if (typeof value === 'string' || Number.isInteger(value)) return String(value);
  return value >= 1e6 ? String(Math.round(value)) : String(Number(value.toPrecision(6)));
}
