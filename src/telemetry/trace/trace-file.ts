import { type FileHandle, open, writeFile } from 'node:fs/promises';
import type { Log } from '../../base/log.js';
import type { Trace, TraceScope, TraceWriter } from './trace.js';
import { traceJson } from './trace-json.js';

/** Traces that wait for each other where all go into one file. */
const WRITTEN_AT_ONCE = 64;

/**
 * Traces as files of JSON (fact sheet 8.2): all in PATH, which is a whole array after each write; or, where settings have a log frequency,
 * so many each in PATH.0, PATH.1, and so on. Writes one after the other, and nobody waits for it.
 */
export class TraceFile implements TraceWriter {
  readonly #path: string;
  readonly #log: Log;
  readonly #waiting = new Map<TraceScope, Trace[]>();
  #nextIndex = 0;
  #file: FileHandle | null = null;
  /** Bytes of PATH. */
  #bytes = 0;
  #written: Promise<void> = Promise.resolve();

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  write(root: Trace): void {
    const { scope } = root;
    const waiting = this.#waiting.get(scope) ?? [];
    waiting.push(root);
    this.#waiting.set(scope, waiting);
    const isLast = scope.left === 0 && scope.open === 0;
    if (isLast || waiting.length >= (scope.settings.logFrequency || WRITTEN_AT_ONCE)) this.#save(scope, waiting);
  }

  flush(): Promise<void> {
    for (const [scope, waiting] of [...this.#waiting]) this.#save(scope, waiting);
    return this.#written;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close();
    this.#file = null;
  }

  #save(scope: TraceScope, traces: readonly Trace[]): void {
    this.#waiting.delete(scope);
    const objects = traces.flatMap(traceJson).join(',\n');
    const write =
      scope.settings.logFrequency > 0
        ? this.#toNextFile.bind(this, `${this.#path}.${this.#nextIndex++}`, objects)
        : this.#append.bind(this, objects);
    this.#written = this.#written.then(write).catch((error: unknown) => {
      this.#log.error(`failed to write ${traces.length} traces to '${this.#path}': ${String(error)}`);
    });
  }

  async #toNextFile(path: string, objects: string): Promise<void> {
    await writeFile(path, `[${objects}]\n`);
  }

  /** Over the bracket at its end. */
  async #append(objects: string): Promise<void> {
    this.#file ??= await open(this.#path, 'w');
    const isFirst = this.#bytes === 0;
    const text = Buffer.from(`${isFirst ? '[' : ',\n'}${objects}]`);
    const at = isFirst ? 0 : this.#bytes - 1;
    for (let done = 0; done < text.length; ) {
      done += (await this.#file.write(text, done, text.length - done, at + done)).bytesWritten;
    }
    this.#bytes = at + text.length;
  }
}
