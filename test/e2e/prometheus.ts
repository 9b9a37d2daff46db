import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './redis.js';
import { ask, get } from './requests.js';
import { until } from './until.js';

export const hasPrometheus = ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0);

/** What promtool prints of a page of metrics or a file, and its exit code: 1 = it cannot be read, 3 = lint findings. */
export function promtool(args: readonly string[], input = ''): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

/** A Prometheus of our own that scrapes one address every second and keeps its data in a folder that goes with it. */
export class PrometheusServer {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#child = child;
    this.port = port;
    this.#folder = folder;
  }

  /** Resolves when it answers queries. */
  static async start(metricsPort: number): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), 'conch-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    const scraped = `scrape_configs: [{ job_name: conch, static_configs: [{ targets: ['127.0.0.1:${metricsPort}'] }] }]`;
    writeFileSync(file, `global: { scrape_interval: 1s }\n${scraped}\n`);
    const port = await freePort();
    const flags = [`--config.file=${file}`, `--storage.tsdb.path=${folder}`, `--web.listen-address=127.0.0.1:${port}`];
    const child = spawn('prometheus', flags, { stdio: 'ignore' });
    process.once('exit', () => child.kill('SIGKILL'));
    const server = new PrometheusServer(child, port, folder);
    await until('Prometheus is ready', () => server.#isReady());
    return server;
  }

  /** The values of an expression, one for each series; none = there is no such series (yet). */
  async values(expression: string): Promise<number[]> {
    const { body } = await ask(this.port, get(`/api/v1/query?query=${encodeURIComponent(expression)}`));
    const { status, data, error } = JSON.parse(body.toString());
    if (status !== 'success') throw new Error(`${expression}: ${error}`);
    return data.result.map(({ value }: { value: [number, string] }) => Number(value[1]));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #isReady(): Promise<boolean> {
    return ask(this.port, get('/-/ready')).then(
      ({ status }) => status === 200,
      () => false,
    );
  }
}
