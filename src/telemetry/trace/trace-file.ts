import { type FileHandle, open, writeFile } from 'node:fs/promises';
import type { Log } from '../../base/log.js';
import type { Trace, TraceScope, TraceWriter } from './trace.js';
import { traceJson } from './trace-json.js';

/** Traces that wait for each other where all go into one file, and about how many bytes they may have. */
const WRITTEN_AT_ONCE = 64;
const WRITTEN_AT_ONCE_BYTES = 1024 * 1024;

/** About so many bytes of traces may wait to be written, or for each other. */
const HELD_BYTES = 64 * 1024 * 1024;

/** Without its tensors a trace has about so many. */
const TRACE_BYTES = 1024;

interface Waiting {
  readonly traces: Trace[];
  bytes: number;
}

/**
 * Traces as files of JSON (fact sheet 8.2): all in PATH, which is a whole array after each write; or, where settings have a log frequency,
 * so many each in PATH.0, PATH.1, and so on. Writes one after the other, and nobody waits for it: what comes faster than it can be written is
 * dropped, and the log says how many.
 */
export class TraceFile implements TraceWriter {
  readonly #path: string;
  readonly #log: Log;
  readonly #heldBytes: number;
  readonly #waiting = new Map<TraceScope, Waiting>();
  /** Of traces that are not written yet. */
  #held = 0;
  /** Traces since all was well. */
  #dropped = 0;
  #nextIndex = 0;
  #file: FileHandle | null = null;
  /** Bytes of PATH. */
  #bytes = 0;
  #written: Promise<void> = Promise.resolve();

  /** @param heldBytes about so many may wait */
  constructor(path: string, log: Log, heldBytes = HELD_BYTES) {
    this.#path = path;
    this.#log = log;
    this.#heldBytes = heldBytes;
  }

  write(root: Trace): void {
    const { scope } = root;
    const waiting = this.#waiting.get(scope) ?? { traces: [], bytes: 0 };
    this.#waiting.set(scope, waiting);
    if (this.#held >= this.#heldBytes) this.#drop();
    else this.#hold(root, waiting);
    const isLast = scope.left === 0 && scope.open === 0;
    if (isLast || isEnough(waiting, scope.settings.logFrequency)) this.#save(scope, waiting);
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

  #hold(trace: Trace, waiting: Waiting): void {
    const bytes = bytesOf(trace);
    waiting.traces.push(trace);
    waiting.bytes += bytes;
    this.#held += bytes;
  }

  #drop(): void {
    if (this.#dropped++ > 0) return;
    this.#log.warning(`traces are dropped: about ${this.#held} bytes of them wait to be written to '${this.#path}'`);
  }

  #save(scope: TraceScope, { traces, bytes }: Waiting): void {
    this.#waiting.delete(scope);
    if (traces.length === 0) return;
    const objects = traces.flatMap(traceJson).join(',\n');
    const write =
      scope.settings.logFrequency > 0
        ? this.#toNextFile.bind(this, `${this.#path}.${this.#nextIndex++}`, objects)
        : this.#append.bind(this, objects);
    this.#written = this.#written
      .then(write)
      .catch((error: unknown) => {
        this.#log.error(`failed to write ${traces.length} traces to '${this.#path}': ${String(error)}`);
      })
      .then(() => this.#letGo(bytes));
  }

  /** So many bytes are written, or never will be. */
  #letGo(bytes: number): void {
    this.#held -= bytes;
    if (this.#dropped === 0 || this.#held > this.#heldBytes / 2) return;
    this.#log.warning(`${this.#dropped} traces were dropped, which came faster than '${this.#path}' was written`);
    this.#dropped = 0;
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

function isEnough({ traces, bytes }: Waiting, logFrequency: number): boolean {
  if (logFrequency > 0) return traces.length >= logFrequency;
  return traces.length >= WRITTEN_AT_ONCE || bytes >= WRITTEN_AT_ONCE_BYTES;
}

/** About how many bytes it has as text. */
function bytesOf({ tensors, children }: Trace): number {
  const ofTensors = tensors.reduce((sum, { tensor }) => sum + tensor.data.length, TRACE_BYTES);
  return children.reduce((sum, child) => sum + bytesOf(child), ofTensors);
}
