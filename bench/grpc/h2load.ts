import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LoadRequest } from '../core/wrk.js';

export interface H2LoadResult {
  readonly requests: number;
  readonly perSecond: number;
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

/** A request whose body lies in a file, ready for any number of runs. */
export class H2Load {
  readonly #request: LoadRequest;
  readonly #bodyFile: string;
  readonly #protocol: readonly string[];

  private constructor(request: LoadRequest, bodyFile: string, protocol: readonly string[]) {
    this.#request = request;
    this.#bodyFile = bodyFile;
    this.#protocol = protocol;
  }

  /** Writes `NAME.body` into `directory`. */
  static create(request: LoadRequest, directory: string, name: string): Promise<H2Load> {
    return H2Load.#create(request, directory, name, []);
  }

  /** The same over HTTP/1.1; the streams of a connection are one. */
  static createHttp1(request: LoadRequest, directory: string, name: string): Promise<H2Load> {
    return H2Load.#create(request, directory, name, ['--h1']);
  }

  static async #create(request: LoadRequest, directory: string, name: string, protocol: readonly string[]) {
    const bodyFile = join(directory, `${name}.body`);
    await writeFile(bodyFile, request.body);
    return new H2Load(request, bodyFile, protocol);
  }

  /** One thread. */
  async run(port: number, width: Width, seconds: number, answerBytes: number): Promise<H2LoadResult> {
    const size = ['-t1', `-c${width.connections}`, `-m${width.streams}`, `-D${seconds}`];
    const { path, headers } = this.#request;
    const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const flags = [...size, ...this.#protocol, ...fields, '-d', this.#bodyFile, `http://127.0.0.1:${port}${path}`];
    const { stdout, stderr } = await promisify(execFile)('h2load', flags).catch(explainMissing);
    return parseH2load(stdout + stderr, answerBytes);
  }
}

function explainMissing(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ENOENT') throw error;
  throw new Error('h2load is not installed: apt-get install nghttp2-client', { cause: error });
}
