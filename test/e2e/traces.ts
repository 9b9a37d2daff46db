import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** One of a file of traces. */
export interface TraceObject {
  readonly id: number;
  readonly parent_id?: number;
  readonly model_name?: string;
  readonly request_id?: string;
  readonly timestamps?: readonly { readonly name: string; readonly ns: number }[];
  readonly activity?: string;
  readonly tensor?: { readonly name: string; readonly data: string; readonly shape: string; readonly dtype: string };
}

/** Where a server writes its traces: anew for each test of the file that asks for it. */
export class TraceFile {
  #folder = '';

  constructor() {
    beforeEach(() => {
      this.#folder = mkdtempSync(join(tmpdir(), 'conch-traces-'));
    });
    afterEach(() => rmSync(this.#folder, { recursive: true }));
  }

  get path(): string {
    return join(this.#folder, 'trace.json');
  }

  /** @param settings of `--trace-config`, besides the file */
  flags(...settings: readonly string[]): string[] {
    return [`triton,file=${this.path}`, ...settings].map((text) => `--trace-config=${text}`);
  }

  read(path = this.path): TraceObject[] {
    return JSON.parse(readFileSync(path, 'utf8')) as TraceObject[];
  }
}
