import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { LoadOverrides } from '../repository/overrides.js';
import { ServerError } from '../types/errors.js';
import type { GenerateRequest } from './generate.js';
import type {
  Outcome,
  ParsedHead,
  ParseGenerateTask,
  ParseHeadTask,
  ParseTask,
  ReadTask,
  WriteGenerateTask,
  WriteTask,
} from './json-tasks.js';

/** JSON up to this size is read at once: handing it to another thread would cost as much. */
export const LARGE_JSON_BYTES = 1 << 20;
/** Tensors of more bytes than this make an answer of JSON that is worth a thread. */
export const LARGE_TENSOR_BYTES = 256 * 1024;

const MOST_THREADS = 4;
/** A thread without work ends after this, so that a server that sees no large JSON has none. */
const IDLE_MS = 10_000;

/** Threads that read and write large JSON, so that the main thread goes on serving. They are started when there is some. */
export class JsonPool {
  readonly #pool = new Piscina({
    filename: fileURLToPath(new URL('./json-thread.js', import.meta.url)),
    minThreads: 0,
    maxThreads: Math.min(MOST_THREADS, availableParallelism()),
    idleTimeout: IDLE_MS,
  });

  /** Rejects with the ServerErrors of `parseInferHead`. */
  parse(task: ParseHeadTask): Promise<ParsedHead> {
    return this.#run('parse', task);
  }

  /** Rejects with the ServerErrors of `parseGenerate`. */
  parseGenerate(task: ParseGenerateTask): Promise<GenerateRequest> {
    return this.#run('parseGenerate', task);
  }

  /** The arena's bytes must stay the caller's until it is settled. Rejects with the ServerErrors of `readJsonTensor`. */
  async read(task: ReadTask): Promise<void> {
    await this.#run('read', task);
  }

  /** As `read`. The text of the answer. */
  async write(task: WriteTask): Promise<Uint8Array> {
    return new Uint8Array(await this.#run<SharedArrayBuffer>('write', task));
  }

  /** As `write`. */
  async writeGenerate(task: WriteGenerateTask): Promise<Uint8Array> {
    return new Uint8Array(await this.#run<SharedArrayBuffer>('writeGenerate', task));
  }

  /** Rejects with the ServerErrors of `loadOverrides`. */
  readLoad(task: ParseTask): Promise<LoadOverrides> {
    return this.#run('readLoad', task);
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async #run<Result>(name: string, task: object): Promise<Result> {
    const outcome = (await this.#pool.run(task, { name })) as Outcome<Result>;
    if ('result' in outcome) return outcome.result;
    throw new ServerError(outcome.error.code, outcome.error.message);
  }
}

/** A body as threads can read it: it is copied unless it lies in shared memory by itself. */
export function sharedBody(body: Buffer): SharedArrayBuffer {
  if (body.buffer instanceof SharedArrayBuffer && body.byteOffset === 0) return body.buffer;
  const shared = new SharedArrayBuffer(body.length);
  body.copy(new Uint8Array(shared));
  return shared;
}
