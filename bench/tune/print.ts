import Table from 'cli-table3';
import { createTwoFilesPatch } from 'diff';
import { inMs, latencyName, shortNumber } from '../load/print/format.js';
import type { Measurement, Trial } from './search.js';
import type { Candidate } from './space.js';
import type { Confirmed, TuneReport } from './tune.js';

/** What the terminal shows at the end. */
export function tuneSummary(report: TuneReport, colors: boolean): string {
  const lines = [title(report), resultTable(report, colors), verdict(report)];
  if (report.best.some(({ result }) => result === null)) {
    lines.push(
      'It was interrupted before the best was measured again, longer: these are the short measurements of the search.',
    );
  }
  const patch = configPatch(report);
  if (patch !== '') lines.push(patch);
  return `${lines.join('\n')}\n`;
}

function title({ model, trials, gridPoints, cores, isPartial, isInterrupted }: TuneReport): string {
  const cut = isPartial ? ', then the time was up' : '';
  const ending = isInterrupted ? ', then it was interrupted' : cut;
  return `${model}: ${trials.length} of ${counted(gridPoints, 'point')} measured on ${counted(cores, 'core')}${ending}`;
}

function resultTable({ best, current, percentile }: TuneReport, colors: boolean): string {
  const head = [
    '',
    'instances',
    'max\nbatch',
    'delay\nus',
    'threads',
    'in flight',
    'infer/s',
    `${latencyName(percentile)}\nms`,
  ];
  const table = new Table({
    head: [...head, 'memory\nMiB'],
    style: { head: colors ? ['bold'] : [], border: colors ? ['grey'] : [], compact: true },
    colAligns: ['left', ...Array.from({ length: head.length }, () => 'right' as const)],
  });
  for (const [index, confirmed] of best.entries()) {
    table.push(rowOf(confirmed === current ? 'now' : String(index + 1), confirmed));
  }
  if (!best.includes(current)) table.push(rowOf('now', current));
  return table.toString();
}

function rowOf(name: string, { point, measurement }: Trial): string[] {
  const { instances, maxBatchSize, queueDelayUs, threads, concurrency } = point;
  const settings = [instances, maxBatchSize, queueDelayUs ?? '-', threads ?? '-', concurrency].map(String);
  const { throughput, latencyUs, memoryBytes } = measurement;
  const memory = memoryBytes === 0 ? '-' : shortNumber(memoryBytes / 2 ** 20);
  const latency = isAnswered(measurement) ? inMs(latencyUs) : '-';
  return [name, ...settings, shortNumber(throughput), latency, memory];
}

/** Else it has no latency. */
function isAnswered({ throughput }: Measurement): boolean {
  return throughput > 0;
}

function verdict({ best, current, limits, percentile, trials }: TuneReport): string {
  const [first] = best;
  if (first === undefined) {
    const answered = [...trials, current].map(({ measurement }) => measurement).filter(isAnswered);
    if (answered.length === 0) return `Nothing that was tried worked: ${oneLine(current.measurement.reason)}`;
    const least = Math.min(...answered.map(({ latencyUs }) => latencyUs));
    return limits.latencyUs === null
      ? 'Nothing that was tried is within the limits.'
      : `Nothing that was tried is within the limits; the least ${latencyName(percentile)} was ${inMs(least)} ms.`;
  }
  if (first === current) return 'What the model has now is the best that was found.';
  return `${ratioText(first, current)} what the model has now.`;
}

function ratioText(best: Confirmed, current: Confirmed): string {
  if (!current.isWithinLimits)
    return `${shortNumber(best.measurement.throughput)} infer/s within the limits, which are missed with`;
  return `${(best.measurement.throughput / current.measurement.throughput).toFixed(2)} times`;
}

/** '' = nothing is to be changed. */
export function configPatch({ model, configBefore, configAfter }: TuneReport): string {
  if (configBefore === configAfter) return '';
  const name = `${model}/config.pbtxt`;
  const patch = createTwoFilesPatch(`a/${name}`, `b/${name}`, configBefore, configAfter);
  // Without the line that only Subversion reads.
  return patch.slice(patch.indexOf('---'));
}

/** One line while it runs. */
export function trialLine({ point, measurement, isWithinLimits }: Trial, count: number, stage: string): string {
  const { throughput, latencyUs, failures, reason } = measurement;
  const outcome =
    failures > 0
      ? `failed: ${oneLine(reason)}`
      : `${shortNumber(throughput)} infer/s, ${inMs(latencyUs)} ms${isWithinLimits ? '' : ', beyond the limits'}`;
  return `${stage} ${count}: ${candidateText(point)}, ${point.concurrency} in flight: ${outcome}\n`;
}

/** Of a line of output: so much of a reason. */
const SHOWN_CHARACTERS = 300;

function oneLine(text: string): string {
  return text
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .slice(0, SHOWN_CHARACTERS);
}

export function candidateText({ instances, maxBatchSize, queueDelayUs, threads }: Candidate): string {
  const parts = [counted(instances, 'instance')];
  if (maxBatchSize > 0) parts.push(`batches of ${maxBatchSize}`);
  if (queueDelayUs !== null) parts.push(`delay ${queueDelayUs} us`);
  if (threads !== null) parts.push(counted(threads, 'thread'));
  return parts.join(', ');
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
