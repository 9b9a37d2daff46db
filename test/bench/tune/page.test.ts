import type { BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import type { TuneReport } from '../../../bench/tune/tune.js';
import { tunePage } from '../../../bench/tune/tune-page.js';
import { brightness, colouredPixels, inBrowser, missing, nextFrame, PageBrowser, pictures } from '../report/browser.js';
import { sampleMeasure, sampleTuneReport } from './sample-report.js';

/** Browsers are slow where others want the cores too. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const report = await sampleTuneReport();
let browser: PageBrowser;

beforeAll(async () => {
  browser = await PageBrowser.launch();
});

afterAll(() => browser.close());

const open = (of: TuneReport, options: BrowserContextOptions = {}) => browser.open(tunePage(of), options);

inBrowser(`draws every chart and needs nothing else${missing}`, async () => {
  const { tab, wrongs } = await open(report);
  const drawn = await colouredPixels(tab);
  // Scatter, course, five dimensions, three over load.
  expect(drawn).toHaveLength(10);
  for (const pixels of drawn) expect(pixels).toBeGreaterThan(300);
  const text = await tab.textContent('main');
  for (const part of ['resnet50', '50 of 900', 'latency limit 40 ms', 'knee', '4 cores', report.command]) {
    expect(text).toContain(part);
  }
  expect(wrongs).toEqual([]);
});

inBrowser(`sets the best against what the model has now${missing}`, async () => {
  const { tab } = await open(report);
  const rows = tab.locator('tbody tr');
  expect(await rows.count()).toBe(4);
  expect(await rows.nth(0).locator('.changed').allTextContents()).toEqual(['4', '16', '1', '64']);
  expect(await rows.nth(0).locator('.ratio.better').count()).toBe(1);
  expect(await rows.nth(3).locator('th').textContent()).toBe('now');
  expect(await rows.nth(3).locator('.changed, .ratio').count()).toBe(0);
  expect(await tab.locator('.diff .added').allTextContents()).toEqual([
    '+max_batch_size: 16',
    '+instance_group [ { count: 4 kind: KIND_CPU } ]',
  ]);
  expect(await tab.locator('.diff .removed').count()).toBe(2);
});

inBrowser(`is as light or dark as the system is, and the other one by the button${missing}`, async () => {
  const { tab: light } = await open(report, { colorScheme: 'light' });
  const { tab: dark } = await open(report, { colorScheme: 'dark' });
  expect(await brightness(light)).toBeGreaterThan(200);
  expect(await brightness(dark)).toBeLessThan(70);
  const [inLight, inDark] = [await pictures(light), await pictures(dark)];
  for (const [index, picture] of inLight.entries()) expect(picture).not.toBe(inDark[index]);
  await light.click('#theme');
  await nextFrame(light);
  expect(await pictures(light)).toEqual(inDark);
});

inBrowser(`says the configuration of the point under the cursor${missing}`, async () => {
  const { tab } = await open(await sampleTuneReport({ most: 1 }));
  const scatter = tab.locator('.card:has(h3:text("All that was measured"))');
  const over = scatter.locator('.u-over');
  await over.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await over.boundingBox())!;
  // p99 of 3.35 ms on an axis from 2 to 50 ms; 7,015 of 7,576 inferences/s.
  const across = Math.log(3.35 / 2) / Math.log(50 / 2);
  await tab.mouse.move(x + across * width + 6, y + (1 - 1 / 1.08) * height + 6);
  const box = scatter.locator('.hover');
  await box.waitFor();
  expect(await box.textContent()).toBe(
    'Measurement 1 (best, now)throughput7,015/sp993.35 msmemory193 MiBInstances1Max batch8Delay (µs)0Threads4In flight16',
  );
  await tab.mouse.move(x + 0.9 * width, y + 0.9 * height);
  await box.waitFor({ state: 'hidden' });
});

inBrowser(`says the measurement of the course under the cursor${missing}`, async () => {
  const { tab } = await open(report);
  const course = tab.locator('.card:has(h3:text("Course of the search"))');
  await course.locator('.u-over').hover();
  const box = course.locator('.hover');
  await box.waitFor();
  expect(await box.textContent()).toMatch(/^Measurement 2[456]: instances \d, max batch \d+, .*best so far13,9\d\d\/s/);
});

inBrowser(`stands a search in which nothing is within the limits${missing}`, async () => {
  const { tab, wrongs } = await open(await sampleTuneReport({ limits: { latencyUs: 100, memoryBytes: null } }));
  const text = await tab.textContent('main');
  expect(text).toContain('Nothing is proposed: nothing that was tried is within the limits.');
  expect(text).toContain('What the model has now, over load');
  expect(await tab.locator('tbody .badge').textContent()).toBe('beyond the limits');
  const drawn = await colouredPixels(tab);
  expect(drawn).toHaveLength(5);
  for (const pixels of drawn) expect(pixels).toBeGreaterThan(100);
  expect(wrongs).toEqual([]);
});

inBrowser(`stands one measurement, and one value of each${missing}`, async () => {
  const bounds = { instances: [1], maxBatchSize: [8], queueDelayUs: [0], threads: [4], concurrency: [16] };
  const { tab, wrongs } = await open(await sampleTuneReport({ bounds }));
  const text = await tab.textContent('main');
  expect(text).toContain('1 of 1 points measured');
  expect(text).toContain('Nothing was varied: there is one value of each.');
  expect(text).toContain('Nothing is to be changed');
  expect(await colouredPixels(tab)).toHaveLength(5);
  expect(wrongs).toEqual([]);
});

inBrowser(`stands a model without batches, delay and threads${missing}`, async () => {
  const settings = { maxBatchSize: 0, queueDelayUs: null, hasThreads: false, scheduler: 'default' } as const;
  const { tab, wrongs } = await open(await sampleTuneReport({ settings }));
  expect(await tab.locator('thead th').allTextContents()).toEqual([
    ...['Configuration', 'Instances', 'In flight', 'Inferences/s', 'p99', 'Memory'],
  ]);
  expect(await colouredPixels(tab)).toHaveLength(7);
  expect(wrongs).toEqual([]);
});

inBrowser(`stands a search that failed everywhere, and one that never began${missing}`, async () => {
  const fails = await sampleTuneReport({ measure: (point) => ({ ...sampleMeasure(point), failures: 1 }) });
  const { tab, wrongs } = await open({ ...fails, model: '</script><img src=x onerror=alert(1)>' });
  expect(await tab.textContent('main')).toContain('Nothing that was tried had only good answers.');
  expect(await tab.locator('img').count()).toBe(0);
  const { tab: empty, wrongs: more } = await open(await sampleTuneReport({ most: 0 }));
  expect(await empty.textContent('main')).toContain('The search ended before anything was measured.');
  expect([...wrongs, ...more]).toEqual([]);
});

inBrowser(`fits a phone${missing}`, async () => {
  const { tab, wrongs } = await open(report, { viewport: { width: 390, height: 800 } });
  expect(await tab.locator('html').evaluate((html) => html.scrollWidth)).toBe(390);
  for (const pixels of await colouredPixels(tab)) expect(pixels).toBeGreaterThan(200);
  expect(wrongs).toEqual([]);
});
