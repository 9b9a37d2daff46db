import { durationText, numberText, ratioText } from './format.js';
import { factList } from './numbers.js';
import { card, emptyNote, openPage, pageData, section, tile } from './shell.js';
import { dimensionChart, searchCourse, trialScatter } from './tune-charts.js';
import type { PageConfiguration, TunePageData } from './tune-data.js';
import { kneeChart, latencyOverLoad, throughputOverLoad } from './tune-load.js';
import { configurationTable, diffView } from './tune-tables.js';

const data = pageData<TunePageData>();
const page = openPage('conch tune', data.model, subtitle(data));

const tiles = section(page, 'At a glance');
tiles.className = 'tiles';
tiles.append(...glance(data));
drawResult();
if (data.trials.length === 0) page.append(emptyNote('The search ended before anything was measured.'));
else drawSearch();
card(section(page, 'What was asked for'), data.model, '', 'wide').append(factList(data.facts));

function drawResult(): void {
  const isFound = data.configurations.some(({ rank }) => rank !== null);
  const result = section(page, isFound ? 'The best that was found' : 'What the model has now');
  const note = `Measured again, longer. Ratios to what the model has now: more throughput is better, less latency is better.`;
  configurationTable(card(result, 'Configurations', note, 'wide'), data);
  const file = data.diff === null ? '' : `${data.diff.file}, for the best.`;
  diffView(card(result, 'What to change', file, 'wide'), data);
}

function drawSearch(): void {
  const search = section(page, 'The search');
  const scatterNote = 'Up and left is better. What was measured again is where the longer measurement has it.';
  trialScatter(card(search, 'All that was measured', scatterNote), data);
  const courseNote = 'The best throughput within the limits, as the search went on.';
  searchCourse(card(search, 'Course of the search', courseNote), data);
  drawDimensions();
  const load = section(
    page,
    data.curves[0]?.name === 'now' ? 'What the model has now, over load' : 'The best, over load',
  );
  const sparse = 'The search measures no more loads than it needs.';
  throughputOverLoad(card(load, 'Throughput', sparse), data);
  latencyOverLoad(card(load, 'Latency', sparse), data);
  kneeChart(
    card(load, `Throughput against ${data.latencyName}`, 'Down and right is better. Each point is a load.', 'wide'),
    data,
  );
}

function drawDimensions(): void {
  const grid = section(page, 'Value by value');
  const varied = data.dimensions.filter(({ values }) => values.length > 1);
  if (varied.length === 0) {
    grid.append(emptyNote('Nothing was varied: there is one value of each.'));
    return;
  }
  if (varied.some(({ best }) => best === null)) {
    grid.append(emptyNote('Nothing that was tried is within the limits.'));
    return;
  }
  grid.classList.add('thirds');
  for (const dimension of varied) {
    const { name, present, best } = dimension;
    const note = best === present ? `Best and now: ${present}.` : `Best: ${best}. Now: ${present}.`;
    dimensionChart(card(grid, name, note), dimension);
  }
}

function subtitle({ facts, trials, gridPoints, isPartial, startedAt }: TunePageData): string {
  const machine = facts.find(([name]) => name === 'Machine')![1];
  const partial = isPartial ? ' · ended before all was tried' : '';
  return `${trials.length} of ${gridPoints} points measured on ${machine} · ${startedAt.replace(/T(\d\d:\d\d)\S*/, ' $1 UTC')}${partial}`;
}

function glance({
  configurations,
  latencyName,
  latencyLimitUs,
  trials,
  gridPoints,
  isPartial,
}: TunePageData): HTMLElement[] {
  const best = configurations.find(({ rank }) => rank === 1);
  const present = configurations.find(({ isPresent }) => isPresent)!;
  const limit = latencyLimitUs === null ? 'There is no limit.' : `The limit is ${durationText(latencyLimitUs)}.`;
  const found =
    best === undefined
      ? tile('Best, inferences/s', 'none', 'Nothing that was tried is within the limits.')
      : tile('Best, inferences/s', numberText(best.throughput), valuesText(best));
  const shown = best ?? present;
  return [
    found,
    againstPresent(best, present),
    tile(
      `${latencyName} of ${best === undefined ? 'what the model has now' : 'the best'}`,
      shown.latencyUs === null ? 'none' : durationText(shown.latencyUs),
      limit,
    ),
    tile(
      'Measured',
      `${trials.length} of ${gridPoints}`,
      isPartial ? 'points; the search was cut short' : 'points of the grid',
    ),
  ];
}

function valuesText({ values }: PageConfiguration): string {
  return data.dimensions.map(({ name }, index) => `${name.toLowerCase()} ${values[index]}`).join(', ');
}

function againstPresent(best: PageConfiguration | undefined, present: PageConfiguration): HTMLElement {
  const label = 'Against what it has now';
  if (best === undefined) return tile(label, '–', 'There is no best to compare.');
  if (best.isPresent) return tile(label, 'the same', 'What the model has now is the best that was found.');
  if (present.latencyUs === null) return tile(label, '–', 'What the model has now had answers that failed.');
  const now = `${numberText(present.throughput)} inferences/s now`;
  return tile(
    label,
    ratioText(best.throughput / present.throughput),
    present.isWithin ? now : `${now}, beyond the limits`,
  );
}
