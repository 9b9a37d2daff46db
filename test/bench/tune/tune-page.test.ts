import { describe, expect, test } from 'vitest';
import { tunePageData } from '../../../bench/tune/tune-page.js';
import { sampleMeasure, sampleTuneReport } from './sample-report.js';

const report = await sampleTuneReport();
const data = tunePageData(report);

describe('the data of the page', () => {
  test('has every measurement, and the longer one where there was one', () => {
    expect(data.trials).toHaveLength(report.trials.length);
    const index = data.trials.findIndex(({ isBest }) => isBest);
    const [best] = report.best;
    expect(report.trials[index]!.point).toEqual(best!.point);
    expect(data.trials[index]!.throughput).toBe(best!.measurement.throughput);
    expect(data.trials[index]!.look.throughput).toBe(report.trials[index]!.measurement.throughput);
    expect(data.trials.filter(({ isBest }) => isBest)).toHaveLength(1);
    expect(data.trials.filter(({ isPresent }) => isPresent)).toHaveLength(1);
  });

  test('the course never falls, and counts only what is within the limits', () => {
    let most = 0;
    for (const { look, bestSoFar } of data.trials) {
      if (look.isWithin) most = Math.max(most, look.throughput);
      expect(bestSoFar).toBe(most === 0 ? null : most);
    }
    expect(data.trials.some(({ look }) => !look.isWithin && look.throughput > most)).toBe(true);
  });

  test('a value has the best that was found with it within the limits', () => {
    const threads = data.dimensions.findIndex(({ name }) => name === 'Threads');
    const dimension = data.dimensions[threads]!;
    expect(dimension.values.map(({ text }) => text)).toEqual(['1', '2', '4']);
    for (const { text, throughput } of dimension.values) {
      const found = data.trials.filter(({ values, isWithin }) => values[threads] === text && isWithin);
      expect(throughput).toBe(Math.max(...found.map((trial) => trial.throughput)));
    }
    const batches = data.dimensions.find(({ name }) => name === 'Max batch')!;
    expect(batches.values[0]).toEqual({ text: '1', throughput: null });
  });

  test('what failed has no latency, and is on no curve', () => {
    const failed = data.trials.filter((_, index) => report.trials[index]!.measurement.failures > 0);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.every(({ latencyUs, isWithin }) => latencyUs === null && !isWithin)).toBe(true);
  });

  test('curves ascend by load: of the best, and of what the model has now', () => {
    expect(data.curves.map(({ name }) => name)).toEqual(['best', 'now']);
    for (const { points, knee } of data.curves) {
      const loads = points.map(({ concurrency }) => concurrency);
      expect(loads.length).toBeGreaterThan(2);
      expect(loads).toEqual([...new Set(loads)].sort((a, b) => a - b));
      expect(knee).not.toBeNull();
    }
  });

  test('the present configuration comes last where it is not among the best', () => {
    expect(data.configurations.map(({ rank, isPresent }) => [rank, isPresent])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [null, true],
    ]);
  });

  test('lines of the file say what becomes of them', () => {
    const lines = (kind: string) => data.diff!.lines.filter((line) => line.kind === kind).map(({ text }) => text);
    expect(lines('removed')).toEqual(['max_batch_size: 8', 'instance_group [ { count: 1 kind: KIND_CPU } ]']);
    expect(lines('added')).toEqual(['max_batch_size: 16', 'instance_group [ { count: 4 kind: KIND_CPU } ]']);
    expect(lines('same')).toContain('name: "resnet50"');
  });

  test('facts say what was asked for, and how far it came', () => {
    const facts = new Map(data.facts);
    expect(facts.get('Command')).toBe(report.command);
    expect(facts.get('Measured')).toBe(`${report.trials.length} of 900 points of the grid`);
    expect(facts.get('Latency limit')).toBe('40 ms');
    expect(facts.get('Memory limit')).toBe('none');
    expect(facts.get('Search')).toBe('ended by itself');
    expect(facts.get('Max batch')).toBe('1, 4, 8, 16, 64');
  });
});

test('what a model does not have is no dimension; a delay of 0 alone is one', async () => {
  const bare = { maxBatchSize: 0, queueDelayUs: null, hasThreads: false, scheduler: 'default' } as const;
  const { dimensions, trials, facts } = tunePageData(await sampleTuneReport({ settings: bare }));
  expect(dimensions.map(({ name }) => name)).toEqual(['Instances', 'In flight']);
  expect(trials[0]!.values).toHaveLength(2);
  expect(facts.map(([name]) => name)).not.toContain('Threads');
  const still = tunePageData(await sampleTuneReport({ bounds: { queueDelayUs: [0] } }));
  expect(still.dimensions.map(({ name }) => name)).toContain('Delay (µs)');
});

test('a model without dynamic batching is shown with it off', async () => {
  const settings = { queueDelayUs: null, scheduler: 'default' } as const;
  const { dimensions } = tunePageData(await sampleTuneReport({ settings }));
  const delay = dimensions.find(({ name }) => name === 'Delay (µs)')!;
  expect(delay.values.map(({ text }) => text)).toEqual(['off', '0', '100', '500', '2000']);
  expect(delay.present).toBe('off');
});

test('where nothing is within the limits there is the present configuration alone, and no change', async () => {
  const none = tunePageData(await sampleTuneReport({ limits: { latencyUs: 100, memoryBytes: null } }));
  expect(none.configurations).toMatchObject([{ rank: null, isPresent: true, isWithin: false }]);
  expect(none.diff).toBeNull();
  expect(none.curves.map(({ name }) => name)).toEqual(['now']);
  expect(none.trials.every(({ bestSoFar, isBest }) => bestSoFar === null && !isBest)).toBe(true);
  expect(none.dimensions.every(({ best }) => best === null)).toBe(true);
});

test('the best that the model has already is one row and one curve', async () => {
  const one = tunePageData(await sampleTuneReport({ most: 1 }));
  expect(one.configurations).toMatchObject([{ rank: 1, isPresent: true }]);
  expect(one.curves).toMatchObject([{ name: 'best', points: [{ concurrency: 16 }], knee: null }]);
  expect(new Map(one.facts).get('Search')).toBe('cut short: there was more to try');
});

test('a search that failed everywhere, or was ended before it began, is a page too', async () => {
  const fails = await sampleTuneReport({ measure: (point) => ({ ...sampleMeasure(point), failures: 1 }) });
  expect(tunePageData(fails).curves).toEqual([{ name: 'now', points: [], knee: null }]);
  const nothing = tunePageData(await sampleTuneReport({ most: 0 }));
  expect(nothing.trials).toEqual([]);
  expect(nothing.configurations).toMatchObject([{ isPresent: true, isConfirmed: false, latencyUs: null }]);
});
