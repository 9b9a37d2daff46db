import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onEachEngine, root, ServerProcess } from '../e2e/server.js';

const documentation = readFileSync(join(root, 'docs/websocket.md'), 'utf8');

/** The first block of this language, and the output that the page shows behind it; '' = none. */
function example(language: string): { code: string; output: string } {
  const [, code, rest] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`\\n(.*)`, 'ms').exec(documentation)!;
  return { code: code!, output: /^\n```text\n(.*?)```/s.exec(rest!)?.[1] ?? '' };
}

/** Debian's, or the one that the variable names. */
const browserPath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);

/** A page on a port of its own, and so of an origin of its own. */
async function servePage(html: () => string): Promise<{ origin: string; close: () => void }> {
  const server = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end(html()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

const inBrowser = test.skipIf(browserPath === undefined);
const missing = browserPath === undefined ? ' (there is no Chromium)' : '';

onEachEngine((engine) => {
  describe('the examples of docs/websocket.md', () => {
    let server: ServerProcess;
    let browser: Browser | null = null;
    let page: Awaited<ReturnType<typeof servePage>>;
    const here = (code: string) => code.replaceAll('127.0.0.1:8000', `127.0.0.1:${server.httpPort}`);
    const html = () => here(example('html').code);

    beforeAll(async () => {
      page = await servePage(html);
      server = await ServerProcess.start({ engine, models: ['simple'], flags: [`--ws-allow-origin=${page.origin}`] });
      if (browserPath !== undefined)
        browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
    });

    afterAll(async () => {
      await browser?.close();
      page.close();
      await server.stop();
    });

    test('in Node.js print what the page says', async () => {
      const { code, output } = example('js');
      const args = ['--input-type=module', '--eval', here(code)];
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
      expect(stdout).toBe(output);
      expect(output).not.toBe('');
    });

    inBrowser(`in a browser show the sum${missing}`, async () => {
      const tab = await browser!.newPage();
      await tab.goto(page.origin);
      const sum = Array.from({ length: 16 }, (_, index) => index + 1).join(' ');
      await tab.waitForSelector(`#sum >> text="${sum}"`);
      await tab.close();
    });

    inBrowser(`in a browser cannot connect from an origin that is not allowed${missing}`, async () => {
      const stranger = await servePage(html);
      const tab = await browser!.newPage();
      const refused = tab.waitForEvent('console', (message) => message.text().includes('403'));
      await tab.goto(stranger.origin);
      await refused;
      expect(await tab.textContent('#sum')).toBe('...');
      await tab.close();
      stranger.close();
    });
  });
});
