import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { test } from 'vitest';

/** Debian's, or the one that the variable names. */
const browserPath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);

/** A test that needs a browser; its name ends with `missing`. */
export const inBrowser = test.skipIf(browserPath === undefined);
export const missing = browserPath === undefined ? ' (there is no Chromium)' : '';

/** The machine may be busy; less than what a test has. */
const WAIT_MS = 100_000;

/** A real browser that opens pages as files of a folder of its own. */
export class PageBrowser {
  readonly #browser: Browser | null;
  readonly #folder = mkdtempSync(join(tmpdir(), 'conch-page-'));
  #count = 0;

  private constructor(browser: Browser | null) {
    this.#browser = browser;
  }

  /** Where there is no browser, it is never asked for a page. */
  static async launch(): Promise<PageBrowser> {
    if (browserPath === undefined) return new PageBrowser(null);
    return new PageBrowser(await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] }));
  }

  /** Opened and drawn; `wrongs` has what its console and the network heard of it. */
  async open(html: string, options: BrowserContextOptions = {}): Promise<{ tab: Page; wrongs: string[] }> {
    const file = join(this.#folder, `${this.#count++}.html`);
    writeFileSync(file, html);
    const view: BrowserContextOptions = { viewport: { width: 1200, height: 900 }, colorScheme: 'light' };
    const tab = await this.#browser!.newPage({ ...view, ...options });
    tab.setDefaultTimeout(WAIT_MS);
    const wrongs: string[] = [];
    const address = pathToFileURL(file).href;
    tab.on('console', (message) => wrongs.push(message.text()));
    tab.on('pageerror', (error) => wrongs.push(String(error)));
    tab.on('request', (request) => {
      if (request.url() !== address && !request.url().startsWith('data:')) wrongs.push(request.url());
    });
    await tab.goto(address);
    await tab.waitForSelector('dl');
    await nextFrame(tab);
    return { tab, wrongs };
  }

  async close(): Promise<void> {
    await this.#browser?.close();
    rmSync(this.#folder, { recursive: true });
  }
}

/** Charts are drawn in a task of their own. */
export async function nextFrame(tab: Page): Promise<void> {
  await tab.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
}

/** By chart: how many pixels of it are coloured, not grey. */
export function colouredPixels(tab: Page): Promise<number[]> {
  return tab.locator('canvas').evaluateAll((canvases) =>
    canvases.map((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let coloured = 0;
      for (let at = 0; at < data.length; at += 4) {
        const parts = [data[at], data[at + 1], data[at + 2]];
        if (data[at + 3] > 128 && Math.max(...parts) - Math.min(...parts) > 50) coloured += 1;
      }
      return coloured;
    }),
  );
}

/** By chart: something that differs when its picture does. */
export function pictures(tab: Page): Promise<string[]> {
  return tab.locator('canvas').evaluateAll((canvases) => canvases.map((canvas) => canvas.toDataURL()));
}

/** Mean of what can be seen; 0 to 255. */
export async function brightness(tab: Page): Promise<number> {
  const { channels } = await sharp(await tab.screenshot()).stats();
  return channels.slice(0, 3).reduce((sum, { mean }) => sum + mean / 3, 0);
}
