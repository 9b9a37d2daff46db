import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { LoadReport, LoadResult } from '../../../bench/load/report.js';
import { benchPage } from '../../../bench/report/bench-page.js';
import { packageRoot } from '../../../bench/report/package-root.js';
import { scriptJson, shellHtml } from '../../../bench/report/shell.js';
import { brightness, colouredPixels, inBrowser, missing, nextFrame, PageBrowser, pictures } from './browser.js';
import { failedResult, sampleReport } from './sample.js';

/** Browsers are slow where others want the cores too. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const one = sampleReport();
const other = sampleReport({
  label: 'triton',
  capacity: 3300,
  serviceUs: 1700,
  seed: 2,
  concurrencies: [1, 2, 4, 8, 256],
});

describe('the file', () => {
  test('data cannot end its script, and reads back as it was', () => {
    expect(scriptJson('</script><!--\u2028')).toBe('"\\u003c/script>\\u003c!--\\u2028"');
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(scriptJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
        expect(scriptJson(value)).not.toMatch(/[<\u2028\u2029]/);
      }),
    );
  });

  test('names no other file', () => {
    const html = benchPage([one]);
    expect(html).not.toMatch(/<(script|link|img)[^>]+(src|href)="(?!data:)/);
    expect(html).not.toMatch(/url\((?!['"]?data:)|@import/);
    expect(shellHtml({ title: 'a < b & "c"', entry: 'bench', data: {} })).toContain(
      '<title>a &lt; b &amp; &quot;c&quot;</title>',
    );
  });
});

describe('colours', () => {
  const style = readFileSync(join(packageRoot, 'bench/report/page/page.css'), 'utf8');
  const found = [...style.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)];
  const colours = new Map(found.map(([, name, light, dark]) => [name!, [light!, dark!] as const]));

  /** WCAG 2.2, relative luminance and contrast ratio. */
  const luminance = (hex: string) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const contrast = (a: string, b: string) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high! + 0.05) / (low! + 0.05);
  };

  test.each([...colours.keys()].filter((name) => /^(ink|accent|good|failure|series|percentile)/.test(name)))(
    '%s stands out from a card in both themes',
    (name) => {
      // Text 4.5, lines and points 3: success criteria 1.4.3 and 1.4.11.
      const least = /^(series|percentile)/.test(name) ? 3 : 4.5;
      for (const theme of [0, 1] as const) {
        expect(contrast(colours.get(name)![theme], colours.get('card')![theme])).toBeGreaterThanOrEqual(least);
      }
    },
  );
});

describe('the page in a browser', () => {
  let browser: PageBrowser;

  beforeAll(async () => {
    browser = await PageBrowser.launch();
  });

  afterAll(() => browser.close());

  const open = (reports: readonly LoadReport[], options: BrowserContextOptions = {}) =>
    browser.open(benchPage(reports), options);

  inBrowser(`draws every chart and needs nothing else${missing}`, async () => {
    const { tab, wrongs } = await open([one]);
    const drawn = await colouredPixels(tab);
    expect(drawn).toHaveLength(8);
    for (const pixels of drawn) expect(pixels).toBeGreaterThan(300);
    const text = await tab.textContent('main');
    for (const part of [
      'resnet50',
      'Latency histogram',
      '4,179 inferences/s',
      'latency limit 25 ms',
      'knee',
      one.command,
    ]) {
      expect(text).toContain(part);
    }
    expect(await tab.locator('tbody tr').count()).toBe(one.results.length + 1);
    expect(wrongs).toEqual([]);
  });

  inBrowser(`is as light or dark as the system is, and the other one by the button${missing}`, async () => {
    const { tab: light } = await open([one], { colorScheme: 'light' });
    const { tab: dark } = await open([one], { colorScheme: 'dark' });
    expect(await brightness(light)).toBeGreaterThan(200);
    expect(await brightness(dark)).toBeLessThan(70);
    const [inLight, inDark] = [await pictures(light), await pictures(dark)];
    for (const [index, picture] of inLight.entries()) expect(picture).not.toBe(inDark[index]);
    await light.click('#theme');
    await nextFrame(light);
    expect(await brightness(light)).toBeLessThan(70);
    expect(await pictures(light)).toEqual(inDark);
    expect(await light.textContent('#theme')).toBe('Light theme');
  });

  inBrowser(`shows the load whose button is pressed${missing}`, async () => {
    const { tab, wrongs } = await open([one]);
    const before = await pictures(tab);
    const button = tab.locator('section:has(h2:text("One load")) .choice button', { hasText: /^128$/ });
    await button.click();
    await nextFrame(tab);
    const after = await pictures(tab);
    expect(await button.getAttribute('aria-pressed')).toBe('true');
    expect(after.map((picture, index) => picture === before[index])).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(await tab.textContent('.card:has(h3:text("Requests over time"))')).toContain('failed');
    expect(wrongs).toEqual([]);
  });

  inBrowser(`switches lines off in the legend, and times to shares${missing}`, async () => {
    const { tab, wrongs } = await open([one]);
    const latency = tab.locator('.card:has(h3:text-is("Latency"))');
    const parts = tab.locator('.card:has(h3:text-is("Where the time goes"))');
    const before = await pictures(tab);
    await latency.locator('.legend button', { hasText: /^p99\.9$/ }).click();
    await parts.locator('.choice button', { hasText: 'share' }).click();
    await nextFrame(tab);
    const same = (await pictures(tab)).map((picture, index) => picture === before[index]);
    expect(same).toEqual([true, false, true, false, true, true, true, true]);
    expect(wrongs).toEqual([]);
  });

  inBrowser(`says the values under the cursor${missing}`, async () => {
    const { tab } = await open([one]);
    await tab.locator('.card:has(h3:text-is("Throughput")) .u-over').hover();
    const box = tab.locator('.card:has(h3:text-is("Throughput")) .hover');
    await box.waitFor();
    expect(await box.textContent()).toMatch(/^Load (8|16)resnet50[34],\d{3}\/s$/);
    await tab.mouse.move(0, 0);
    await box.waitFor({ state: 'hidden' });
  });

  inBrowser(`puts several reports side by side${missing}`, async () => {
    const { tab, wrongs } = await open([one, other]);
    for (const pixels of await colouredPixels(tab)) expect(pixels).toBeGreaterThan(300);
    const compared = tab.locator('section:has(h2:text("Compared"))');
    const row = compared.locator('tr', { has: tab.locator('th:text-is("8")') });
    const ratio = (other.results[3]!.throughput / one.results[3]!.throughput).toFixed(2);
    expect(await row.textContent()).toContain(`${ratio}×`);
    expect(await row.locator('.worse').count()).toBe(3);
    expect(await compared.textContent()).toContain('load 256 was measured only in triton');
    const before = await pictures(tab);
    await tab.locator('.choice button', { hasText: /^p50$/ }).click();
    await nextFrame(tab);
    expect((await pictures(tab))[1]).not.toBe(before[1]);
    expect(wrongs).toEqual([]);
  });

  inBrowser(`stands one load, and a server without statistics${missing}`, async () => {
    const [result] = sampleReport({ concurrencies: [16] }).results;
    const { tab, wrongs } = await open([{ ...one, results: [{ ...result!, models: [], process: null }], best: 0 }]);
    expect(await colouredPixels(tab)).toHaveLength(8);
    const text = await tab.textContent('main');
    expect(text).toContain('It takes three loads to see one.');
    expect(text).toContain('network and server');
    expect(text).not.toContain('compute infer');
    expect(wrongs).toEqual([]);
  });

  inBrowser(`shows open loads that have but a name, and decoupled models${missing}`, async () => {
    const phases = [{ seconds: 15, fromPerSecond: 100, toPerSecond: 900 }];
    const results = sampleReport({ concurrencies: [4, 8] }).results.map((result, index): LoadResult => {
      const { latency } = result;
      const arrivals = { kind: 'profile', phases, distribution: 'poisson', seed: 1 } as const;
      return {
        ...result,
        load: { kind: 'open', arrivals, maxInFlight: 64 },
        name: `profile-${index}.json`,
        firstResponse: latency,
        lateness: { late: 12, backlog: 0, delay: latency },
      };
    });
    const { tab, wrongs } = await open([{ ...one, results, best: null }]);
    for (const pixels of await colouredPixels(tab)) expect(pixels).toBeGreaterThan(300);
    expect(await tab.textContent('thead')).toMatch(/Responses\/s.*First response p50.*Late/);
    expect(await tab.textContent('tbody')).toContain('profile-1.json');
    expect(wrongs).toEqual([]);
  });

  inBrowser(`stands loads without a good answer, and shows messages as they are${missing}`, async () => {
    const failed = { ...one, results: [failedResult(1), failedResult(2)], best: null };
    const { tab, wrongs } = await open([failed]);
    const text = await tab.textContent('main');
    expect(text).toContain('No request had a good answer.');
    expect(text).toContain('connect ECONNREFUSED </script><img src=x onerror=alert(1)>');
    expect(await tab.locator('img').count()).toBe(0);
    const { tab: empty, wrongs: more } = await open([{ ...one, results: [], best: null }]);
    expect(await empty.textContent('main')).toContain('No load was measured.');
    expect([...wrongs, ...more]).toEqual([]);
  });

  inBrowser(`fits a phone${missing}`, async () => {
    const { tab, wrongs } = await open([one, other], { viewport: { width: 390, height: 800 } });
    expect(await tab.locator('html').evaluate((html) => html.scrollWidth)).toBe(390);
    for (const pixels of await colouredPixels(tab)) expect(pixels).toBeGreaterThan(200);
    expect(wrongs).toEqual([]);
  });
});
