import type { BenchPageData, PageReport } from './bench-data.js';
import { comparison, facts, failures, numbers } from './bench-tables.js';
import { choice } from './dom.js';
import { durationText, numberText } from './format.js';
import { oneLoad } from './one-load.js';
import { latencyChart, throughputChart, tradeChart } from './over-load.js';
import { partsCard } from './parts-chart.js';
import { card, emptyNote, openPage, pageData, section, tile } from './shell.js';

const data = pageData<BenchPageData>();
const page = openPage('conch bench', data.reports.map(({ label }) => label).join(' vs '), subtitle(data));

if (data.axis.places.length === 0) page.append(emptyNote('No load was measured.'));
else drawLoads();
facts(section(page, 'What was measured'), data.reports);

function drawLoads(): void {
  const tiles = section(page, 'At a glance');
  tiles.className = 'tiles';
  tiles.append(...data.reports.flatMap(glance));
  if (data.comparison !== null) comparison(section(page, 'Compared'), data.comparison);
  const overLoad = section(page, 'Over load');
  throughputChart(card(overLoad, 'Throughput', 'Inferences with a good answer.'), data);
  latencyChart(card(overLoad, 'Latency', 'Percentiles over all requests with a good answer.'), data);
  tradeChart(card(overLoad, 'Throughput against p99', 'Down and right is better. Each point is a load.'), data);
  partsCard(card(overLoad, 'Where the time goes', 'What the mean latency of a request consists of.'), data);
  drawOneLoad();
  numbers(section(page, 'All numbers'), data.reports, data.percentiles);
  failures(section(page, 'Failures'), data.reports);
}

function drawOneLoad(): void {
  const names = data.axis.places.map(({ name }) => name);
  const chosen = firstChoice(data);
  const buttons = choice(`${data.axis.title}:`, names, chosen, (index) => draw(index));
  const draw = oneLoad(section(page, 'One load', buttons), data);
  draw(chosen);
}

/** The best load of the first report, else its knee, else the last one. */
function firstChoice({ reports, axis }: BenchPageData): number {
  const report = reports[0]!;
  const point = report.points[report.best ?? report.knee ?? report.points.length - 1];
  return Math.max(
    0,
    axis.places.findIndex(({ x }) => x === point?.x),
  );
}

function subtitle({ reports }: BenchPageData): string {
  const fact = (name: string) =>
    [...new Set(reports.map((report) => report.facts.find(([key]) => key === name)?.[1] ?? ''))].join(' · ');
  const partial = reports.some(({ isPartial }) => isPartial) ? ' · ended before all was measured' : '';
  return `${fact('Model')} · ${fact('Server')} · ${fact('Started').replace(/T(\d\d:\d\d)\S*/g, ' $1 UTC')}${partial}`;
}

function glance({ label, points, best, knee }: PageReport): HTMLElement[] {
  const named = (what: string) =>
    data.reports.length > 1 ? `${label}: ${what}` : `${what[0]!.toUpperCase()}${what.slice(1)}`;
  const about = (index: number) => {
    const { name, throughput, latency } = points[index]!;
    return [
      `${numberText(throughput)} inferences/s`,
      `at load ${name}${latency === null ? '' : `, p99 ${durationText(latency.percentiles['99'] ?? latency.max)}`}`,
    ] as const;
  };
  const first =
    best === null
      ? tile(named('best load'), 'none', 'No load keeps the latency limit.')
      : tile(named('best load'), ...about(best));
  const bend =
    knee === null
      ? tile(
          named('knee'),
          'none',
          points.length < 3 ? 'It takes three loads to see one.' : 'Latency does not bend within these loads.',
        )
      : tile(named('knee'), ...about(knee));
  const fastest = points.reduce(
    (least, { latency }) => Math.min(least, latency?.percentiles['50'] ?? Number.POSITIVE_INFINITY),
    Number.POSITIVE_INFINITY,
  );
  const failed = points.flatMap((point) => point.failures).reduce((sum, { count }) => sum + count, 0);
  return [
    first,
    bend,
    tile(named('lowest median'), Number.isFinite(fastest) ? durationText(fastest) : 'none', 'of all loads'),
    tile(
      named('failures'),
      numberText(failed),
      failed === 0
        ? 'Every request had a good answer.'
        : `of ${numberText(failed + points.reduce((sum, { requests }) => sum + requests, 0))} requests`,
    ),
  ];
}
