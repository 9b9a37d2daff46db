import { unlinkSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { elementBytes, isDataType } from '../../../src/types/datatype.js';
import { elementCount } from '../../../src/types/tensor.js';
import type { DataSet } from '../data/data-set.js';
import type { RegionPlace, Target, TargetModel, TensorSource } from './target.js';

/** Where Linux keeps the objects of POSIX shared memory (shm_overview(7)). */
const FOLDER = '/dev/shm';
/** Tensors begin at multiples of it: a cache line. */
const ALIGN = 64;
const CHUNK_BYTES = 1 << 20;

/** Room for one output. */
export interface OutputSize {
  readonly name: string;
  readonly bytes: number;
}

/**
 * The room that each output of a request needs.
 * @param variableBytes for each element of the batch where the model does not say how large an output is
 */
export function outputSizes(model: TargetModel, batchSize: number, variableBytes: number): OutputSize[] {
  const batches = model.maxBatchSize > 0;
  return model.outputs.map(({ name, datatype, shape }) => {
    const rows = batches ? batchSize : 1;
    const own = batches ? shape.slice(1) : shape;
    const isFixed = isDataType(datatype) && datatype !== 'BYTES' && own.every((dim) => dim >= 0);
    const rowBytes = isFixed ? elementCount(own) * elementBytes[datatype] : variableBytes;
    return { name, bytes: Math.max(1, rows * rowBytes) };
  });
}

/** Distinguishes regions of one process. */
let opened = 0;

/**
 * Client shared memory of a run: one region with all inputs, one with room for the outputs. All requests have the same room for outputs, as
 * those of perf_analyzer: what lies there is of whoever wrote last.
 */
export class Regions {
  readonly #target: Target;
  readonly #prefix = `conch-bench-${process.pid}-${++opened}`;
  /** Files that are there, or may be; names are those of the regions too. */
  readonly #files = new Set<string>();
  readonly #registered = new Set<string>();
  readonly #unlinkAtExit = () => this.#unlinkNow();
  /** Streams and their steps as those of the data set: the inputs of each. */
  inputs: readonly (readonly (readonly TensorSource[])[])[] = [];
  outputs: ReadonlyMap<string, RegionPlace> = new Map();

  private constructor(target: Target) {
    this.#target = target;
    process.once('exit', this.#unlinkAtExit);
  }

  /** Rejects with an error that says what to do; nothing is left behind then. */
  static async open(target: Target, data: DataSet, outputs: readonly OutputSize[]): Promise<Regions> {
    const regions = new Regions(target);
    try {
      await regions.#openInputs(data);
      await regions.#openOutputs(outputs);
    } catch (error) {
      await regions.close();
      throw error;
    }
    return regions;
  }

  /**
   * Unregisters them and removes their files; may be called at any time, and twice. Never rejects: what the server does not unregister
   * now it will not find anyway.
   * @returns what did not work, for the user
   */
  async close(): Promise<readonly string[]> {
    const notes: string[] = [];
    for (const name of this.#registered) {
      await this.#target.unregisterRegion(name).catch((error: Error) => notes.push(error.message));
    }
    this.#registered.clear();
    for (const name of this.#files) {
      await unlink(`${FOLDER}/${name}`).catch((error: Error) => notes.push(error.message));
    }
    this.#files.clear();
    process.off('exit', this.#unlinkAtExit);
    return notes;
  }

  async #openInputs(data: DataSet): Promise<void> {
    const region = `${this.#prefix}-inputs`;
    const layout = new Layout();
    this.inputs = data.streams.map((steps) =>
      steps.map(({ inputs }) =>
        inputs.map(({ name, datatype, shape, bytes }) => ({
          name,
          datatype,
          shape,
          place: { region, offset: layout.place(bytes), bytes: bytes.length },
        })),
      ),
    );
    await this.#create(region, layout.bytes, (file) => writeTensors(file, layout));
  }

  async #openOutputs(sizes: readonly OutputSize[]): Promise<void> {
    const region = `${this.#prefix}-outputs`;
    const places = new Map<string, RegionPlace>();
    let end = 0;
    for (const { name, bytes } of sizes) {
      places.set(name, { region, offset: end, bytes });
      end = alignUp(end + bytes);
    }
    this.outputs = places;
    await this.#create(region, end, (file) => writeZeros(file, end));
  }

  async #create(name: string, bytes: number, write: (file: FileHandle) => Promise<void>): Promise<void> {
    const path = `${FOLDER}/${name}`;
    // It is there before we are told so, and the process may end between.
    this.#files.add(name);
    try {
      const file = await open(path, 'wx', 0o600);
      await write(file).finally(() => file.close());
    } catch (error) {
      throw new Error(
        `cannot write ${bytes} bytes of shared memory to ${path}: ${(error as Error).message}. A container has as much as its --shm-size`,
      );
    }
    // Also where no answer comes the server may know it.
    this.#registered.add(name);
    try {
      await this.#target.registerRegion(name, `/${name}`, bytes);
    } catch (error) {
      throw new Error(
        `${(error as Error).message} (--shared-memory=system: the server must run on this machine and allow it)`,
      );
    }
  }

  #unlinkNow(): void {
    for (const name of this.#files) {
      try {
        unlinkSync(`${FOLDER}/${name}`);
      } catch {
        // The process ends: there is nobody to tell.
      }
    }
  }
}

/** Where tensors lie, one behind the other; those that are the same bytes lie in one place. */
class Layout {
  /** By their offsets. */
  readonly tensors = new Map<number, Buffer>();
  readonly #offsets = new Map<Buffer, number>();
  /** At least 1: a region cannot be empty. */
  bytes = 1;
  #end = 0;

  place(bytes: Buffer): number {
    const known = this.#offsets.get(bytes);
    if (known !== undefined) return known;
    const offset = this.#end;
    this.#offsets.set(bytes, offset);
    this.tensors.set(offset, bytes);
    this.#end = alignUp(offset + bytes.length);
    this.bytes = Math.max(1, this.#end);
    return offset;
  }
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}

async function writeTensors(file: FileHandle, { tensors, bytes }: Layout): Promise<void> {
  for (const [offset, tensor] of tensors) await writeAll(file, tensor, offset);
  await file.truncate(bytes);
}

/** Written, not only made room for: where memory is short this says so, and not a signal to the server. */
async function writeZeros(file: FileHandle, bytes: number): Promise<void> {
  const zeros = Buffer.alloc(Math.min(bytes, CHUNK_BYTES));
  for (let at = 0; at < bytes; at += zeros.length) {
    await writeAll(file, zeros.subarray(0, bytes - at), at);
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
