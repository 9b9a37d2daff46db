import { type Headers, HttpClient } from './http-client.js';
import { type MetricMeans, MetricsFold } from './metrics-fold.js';
import { parseMetricsPage } from './metrics-page.js';
import { parseUrl, type TargetUrl } from './url.js';

const USUAL_PORT = 8002;
const USUAL_PATH = '/metrics';
const TIMEOUT_MS = 5_000;

export interface MetricsUrl {
  readonly url: TargetUrl;
  readonly path: string;
}

/**
 * Reads `--metrics-url`: a URL, with or without scheme and path; '' = the server's host. Where it names no port
 * that is 8002. Throws an Error that quotes it.
 */
export function parseMetricsUrl(text: string, serverHost: string): MetricsUrl {
  const [, base, path = ''] = /^((?:[A-Za-z]+:\/\/)?[^/]*)(\/.*)?$/s.exec(text === '' ? serverHost : text)!;
  const url = parseUrl('http', base!, null, USUAL_PORT);
  return { url, path: path === '' || path === '/' ? USUAL_PATH : path };
}

/** `--collect-metrics`: reads a page again and again. */
export class MetricsSampler {
  readonly #client: HttpClient;
  readonly #place: MetricsUrl;
  readonly #intervalMs: number;
  readonly #fold = new MetricsFold();
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;
  #reads = 0;
  #failed = 0;
  #lastFailure = '';

  constructor(place: MetricsUrl, headers: Headers, intervalMs: number) {
    this.#client = new HttpClient(place.url, headers, TIMEOUT_MS, '--metrics-url');
    this.#place = place;
    this.#intervalMs = intervalMs;
  }

  /** Rejects with an error that names the URL where the page cannot be read. */
  async start(): Promise<void> {
    await this.#read();
    this.#wait();
  }

  /** Means since the last `take`, or the start; with one more read, so that there always is one. */
  async take(): Promise<MetricMeans> {
    await this.#tryRead();
    return this.#fold.take();
  }

  /** @returns reads that failed, for the user */
  close(): readonly string[] {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#client.close();
    if (this.#failed === 0) return [];
    return [`${this.#failed} of ${this.#reads} reads of metrics failed, at last: ${this.#lastFailure}`];
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#tryRead().then(() => this.#wait()), this.#intervalMs);
    // It holds nobody up.
    this.#timer.unref();
  }

  async #tryRead(): Promise<void> {
    this.#reads++;
    try {
      await this.#read();
    } catch (error) {
      this.#failed++;
      this.#lastFailure = (error as Error).message;
    }
  }

  async #read(): Promise<void> {
    const { url, path } = this.#place;
    const { status, body } = await this.#client.ask('GET', path, 'metrics');
    if (status !== 200) {
      throw new Error(`asked ${url.text}${path} for metrics, got HTTP ${status}. --metrics-url says where they are`);
    }
    this.#fold.add(parsePage(body, `${url.text}${path}`), performance.now());
  }
}

function parsePage(body: string, url: string) {
  try {
    return parseMetricsPage(body);
  } catch (error) {
    throw new Error(`asked ${url} for metrics: ${(error as Error).message}. --metrics-url says where they are`);
  }
}
