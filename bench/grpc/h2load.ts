import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { quartiles } from '../core/rounds.js';
import { framed, unaryPath } from './messages.js';

export interface H2LoadResult {
  readonly requests: number;
  readonly perSecond: number;
}

export interface Latencies {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Connections, and streams at a time on each. */
export interface Width {
  readonly connections: number;
  readonly streams: number;
}

function found(output: string, pattern: RegExp): RegExpExecArray {
  const match = pattern.exec(output);
  if (match === null) throw new Error(`h2load printed no ${pattern.source}:\n${output}`);
  return match;
}

/**
 * Reads what `h2load` printed. Throws when a request failed, and when fewer bytes came than so many answers of `answerBytes` have:
 * to h2load a call that ended with an error is an answer without a body.
 */
export function parseH2load(output: string, answerBytes: number): H2LoadResult {
  const perSecond = Number(found(output, /finished in [\d.]+m?s, ([\d.]+) req\/s/)[1]);
  const counts = found(output, /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/);
  const [requests, ...failures] = counts.slice(1).map(Number) as [number, number, number, number];
  if (failures.some((count) => count > 0)) throw new Error(`h2load met errors (expected none): ${counts[0]}`);
  if (requests === 0) throw new Error('h2load finished no request');
  const dataBytes = Number(found(output, /\((\d+)\) data/)[1]);
  if (dataBytes < requests * answerBytes) {
    throw new Error(`${requests} answers of ${answerBytes} bytes, but only ${dataBytes} bytes came: some calls failed`);
  }
  return { requests, perSecond };
}

/** Reads the log of `h2load`: begin, status, microseconds; one request a line. */
export function parseLog(log: string): Latencies {
  const sorted = log
    .trimEnd()
    .split('\n')
    .map((line) => Number(line.split('\t')[2]))
    .sort((a, b) => a - b);
  return { p50Us: quartiles(sorted).median, p99Us: sorted[Math.floor(0.99 * (sorted.length - 1))]! };
}

/** A call whose body lies in a file, ready for any number of runs. */
export class H2Load {
  readonly #bodyFile: string;
  readonly #logFile: string;

  private constructor(bodyFile: string) {
    this.#bodyFile = bodyFile;
    this.#logFile = `${bodyFile}.log`;
  }

  /** Writes `NAME.body` into `directory`. */
  static async create(message: Uint8Array, directory: string, name: string): Promise<H2Load> {
    const bodyFile = join(directory, `${name}.body`);
    await writeFile(bodyFile, framed(message));
    return new H2Load(bodyFile);
  }

  /** One thread. */
  async run(port: number, width: Width, seconds: number, answerBytes: number): Promise<H2LoadResult> {
    return parseH2load(await this.#h2load(port, width, seconds, []), answerBytes);
  }

  /** With the latency of each request written down, which costs the generator a system call between requests. */
  async runLogged(port: number, width: Width, seconds: number, answerBytes: number): Promise<H2LoadResult & Latencies> {
    // It appends.
    await rm(this.#logFile, { force: true });
    const output = await this.#h2load(port, width, seconds, [`--log-file=${this.#logFile}`]);
    return { ...parseH2load(output, answerBytes), ...parseLog(await readFile(this.#logFile, 'utf8')) };
  }

  async #h2load(port: number, width: Width, seconds: number, more: readonly string[]): Promise<string> {
    const size = ['-t1', `-c${width.connections}`, `-m${width.streams}`, `-D${seconds}`];
    const fields = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];
    const flags = [...size, ...fields, ...more, '-d', this.#bodyFile, `http://127.0.0.1:${port}${unaryPath}`];
    const { stdout, stderr } = await promisify(execFile)('h2load', flags).catch(explainMissing);
    return stdout + stderr;
  }
}

function explainMissing(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ENOENT') throw error;
  throw new Error('h2load is not installed: apt-get install nghttp2-client', { cause: error });
}
