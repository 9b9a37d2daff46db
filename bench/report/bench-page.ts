import type { LoadReport, LoadResult } from '../load/report.js';
import { compareReports, distinctLabels } from './comparison.js';
import { knee } from './knee.js';
import { pageLatency } from './latency.js';
import { loadAxis, placeOf } from './load-axis.js';
import type { BenchPageData, LoadAxis, LoadPoint, PageReport } from './page/bench-data.js';
import { timeParts } from './parts.js';
import { shellHtml } from './shell.js';

/** The page of one report, or of several side by side: one HTML file that needs no other. The first is the base of the ratios. */
export function benchPage(reports: readonly LoadReport[]): string {
  const data = benchPageData(reports);
  const labels = data.reports.map(({ label }) => label);
  return shellHtml({ title: `${labels.join(' vs ')} · conch bench`, entry: 'bench', data });
}

export function benchPageData(reports: readonly LoadReport[]): BenchPageData {
  const axis = loadAxis(reports.flatMap(({ results }) => results));
  const labels = distinctLabels(reports);
  return {
    axis,
    reports: reports.map((report, index) => pageReport(report, labels[index]!, axis)),
    percentiles: commonPercentiles(reports),
    latencyLimitUs: reports.find(({ latencyLimitUs }) => latencyLimitUs !== null)?.latencyLimitUs ?? null,
    comparison: reports.length > 1 ? compareReports(reports) : null,
  };
}

function pageReport(report: LoadReport, label: string, axis: LoadAxis): PageReport {
  const best = report.best === null ? undefined : report.results[report.best];
  const points = report.results.map((result) => loadPoint(result, axis)).sort((a, b) => a.x - b.x);
  const bent = points.filter(({ latency }) => latency?.percentiles['99'] !== undefined);
  const found = knee(bent.map(({ throughput, latency }) => ({ throughput, latencyUs: latency!.percentiles['99']! })));
  return {
    label,
    facts: facts(report),
    points,
    knee: found === null ? null : points.indexOf(bent[found]!),
    best: best === undefined ? null : points.findIndex(({ name }) => name === best.name),
    isPartial: report.isPartial,
  };
}

function loadPoint(result: LoadResult, axis: LoadAxis): LoadPoint {
  const { name, isStable, seconds, requests, throughput, responsesPerSecond, sequencesPerSecond, failures } = result;
  const server = result.models[0];
  return {
    x: placeOf(axis, result),
    ...{ name, isStable, seconds, requests, throughput, responsesPerSecond, sequencesPerSecond, failures },
    latency: pageLatency(result.latency),
    firstResponse: result.firstResponse === null ? null : pageLatency(result.firstResponse),
    betweenResponses: result.betweenResponses === null ? null : pageLatency(result.betweenResponses),
    late: result.lateness?.late ?? null,
    client: { cpuUs: result.client.cpuUs, utilization: result.client.utilization },
    process: result.process,
    meanBatch: server === undefined || server.executions === 0 ? null : server.inferences / server.executions,
    parts: timeParts(result),
    timeline: result.timeline,
  };
}

/** Those that every load with good answers has. */
function commonPercentiles(reports: readonly LoadReport[]): string[] {
  const measured = reports.flatMap(({ results }) => results).filter(({ latency }) => latency.count > 0);
  const names = Object.keys(measured[0]?.latency.percentiles ?? {});
  const common = names.filter((name) => measured.every(({ latency }) => latency.percentiles[name] !== undefined));
  return common.sort((a, b) => Number(a) - Number(b));
}

function facts({ server, model, ...report }: LoadReport): (readonly [string, string])[] {
  const address = server.url === '' ? 'in process' : server.url;
  const kind = [model.platform, `${model.scheduler} scheduler`, model.isDecoupled ? 'decoupled' : ''];
  return [
    ['Model', `${model.name}, version ${model.version}`],
    ['Kind', kind.filter((text) => text !== '').join(', ')],
    ['Server', `${server.name} ${server.version}`],
    ['Address', `${address} (${server.protocol})`],
    ['Batch size', String(report.batchSize)],
    ['Judged by', report.percentile === null ? 'mean latency' : `p${report.percentile}`],
    ['Latency limit', report.latencyLimitUs === null ? 'none' : `${report.latencyLimitUs / 1000} ms`],
    ['Started', report.startedAt],
    ['Command', report.command],
  ];
}
