import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { buildDataSet } from '../../../../bench/load/data/build-data-set.js';
import { DataError } from '../../../../bench/load/data/data-error.js';
import type { DataSet, TensorData } from '../../../../bench/load/data/data-set.js';
import { type FixedType, unpackElements, unpackStrings } from '../../../../bench/load/data/elements.js';
import type { DataOptions } from '../../../../bench/load/options.js';
import type { TargetModel } from '../../../../bench/load/target/target.js';
import { dataOptions } from '../target-model.js';

/** A folder of its own, with files that tests name. */
export class DataFiles {
  readonly folder = mkdtempSync(join(tmpdir(), 'conch-load-data-'));

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  read(model: TargetModel, paths: readonly string[], batchSize = 1, more: Partial<DataOptions> = {}): Promise<DataSet> {
    return buildDataSet(model, dataOptions({ ...more, source: { paths } }), batchSize);
  }

  /** The message, with paths as the test named them. */
  async refusal(
    model: TargetModel,
    paths: readonly string[],
    batchSize = 1,
    more: Partial<DataOptions> = {},
  ): Promise<string> {
    const error = await this.read(model, paths, batchSize, more).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    return (error as DataError).message.replaceAll(`${this.folder}/`, '');
  }
}

/** By name: the shape, and the elements as they would be written down. */
export function valuesOf(tensors: readonly TensorData[] | null): Record<string, unknown> | null {
  if (tensors === null) return null;
  return Object.fromEntries(tensors.map((tensor) => [tensor.name, [tensor.shape, elementsOf(tensor)]]));
}

function elementsOf({ datatype, bytes }: TensorData): unknown[] {
  return datatype === 'BYTES' ? unpackStrings(bytes)!.map(String) : unpackElements(datatype as FixedType, bytes);
}
