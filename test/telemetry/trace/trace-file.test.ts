import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { defaultTraceSettings, type TraceSettings } from '../../../src/telemetry/trace/settings.js';
import { TraceFile } from '../../../src/telemetry/trace/trace-file.js';
import { Tracing } from '../../../src/telemetry/trace/tracing.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'traces-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const fileOf = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown[];

function setUp(settings: Partial<TraceSettings>, log = silentLog, path = join(folder, 't.json')) {
  const writer = new TraceFile(path, log);
  const all: TraceSettings = { ...defaultTraceSettings, levels: ['TIMESTAMPS'], rate: 1, file: path, ...settings };
  return { writer, tracing: new Tracing({ settings: all, writer, exportSettings: {} }) };
}

test('a trace and its child are objects linked by id, timestamps in their order', async () => {
  const { tracing } = setUp({});
  const root = tracing.begin('ensemble', 2, 'r', null)!;
  const child = root.child('step', 1);
  root.stamp('REQUEST_END', 90);
  root.stamp('REQUEST_START', 10);
  root.end();
  child.stamp('COMPUTE_START', 20);
  child.end();
  await tracing.close();
  expect(fileOf('t.json')).toEqual([
    { id: root.id, model_name: 'ensemble', model_version: 2, request_id: 'r' },
    {
      id: root.id,
      timestamps: [
        { name: 'REQUEST_START', ns: 10 },
        { name: 'REQUEST_END', ns: 90 },
      ],
    },
    { id: child.id, model_name: 'step', model_version: 1, request_id: 'r', parent_id: root.id },
    { id: child.id, timestamps: [{ name: 'COMPUTE_START', ns: 20 }] },
  ]);
});

test('one file is a whole array after each flush', async () => {
  const { tracing, writer } = setUp({});
  for (const expected of [1, 2, 3]) {
    tracing.begin('m', 1, '', null)!.end();
    await writer.flush();
    expect(fileOf('t.json')).toHaveLength(expected);
  }
  await tracing.close();
});

test('a log frequency makes files of so many; the rest goes to the next one when the count has run out', async () => {
  const { tracing } = setUp({ logFrequency: 2, count: 5 });
  const traces = [1, 2, 3, 4, 5, 6].map(() => tracing.begin('m', 1, '', null));
  expect(traces[5]).toBeNull();
  for (const trace of traces) trace?.end();
  // Without a flush.
  await vi.waitFor(() => expect([0, 1, 2].map((index) => fileOf(`t.json.${index}`).length)).toEqual([2, 2, 1]));
  expect(readdirSync(folder).sort()).toEqual(['t.json.0', 't.json.1', 't.json.2']);
});

test('other settings write what waits by those before', async () => {
  const { tracing, writer } = setUp({ logFrequency: 9 });
  tracing.begin('m', 1, '', null)!.end();
  tracing.change(null, { logFrequency: 1 });
  tracing.begin('m', 1, '', null)!.end();
  await writer.flush();
  expect(readdirSync(folder).sort()).toEqual(['t.json.0', 't.json.1']);
});

test('a file that cannot be written is logged, and nothing else happens', async () => {
  const errors: string[] = [];
  const log = { ...silentLog, error: (message: string) => errors.push(message) };
  const { tracing } = setUp({}, log, join(folder, 'no', 'such', 't.json'));
  tracing.begin('m', 1, '', null)!.end();
  await tracing.close();
  expect(errors).toEqual([expect.stringMatching(/^failed to write 1 traces to '.*': Error: ENOENT/)]);
});

test('what comes faster than it can be written is dropped, and counted', async () => {
  const path = join(folder, 't.json');
  // Nothing gets through until somebody reads.
  execFileSync('mkfifo', [`${path}.0`]);
  const warnings: string[] = [];
  const writer = new TraceFile(path, { ...silentLog, warning: (message) => warnings.push(message) }, 10 * 1024);
  const settings: TraceSettings = {
    ...defaultTraceSettings,
    levels: ['TIMESTAMPS'],
    rate: 1,
    file: path,
    logFrequency: 1,
  };
  const tracing = new Tracing({ settings, writer, exportSettings: {} });
  for (let nth = 0; nth < 25; nth++) tracing.begin('m', 1, '', null)!.end();
  expect(warnings).toEqual([expect.stringMatching(/^traces are dropped: about 10240 bytes of them wait/)]);
  const first = await readFile(`${path}.0`, 'utf8');
  expect(JSON.parse(first)).toHaveLength(1);
  await writer.flush();
  expect(warnings.slice(1)).toEqual([`15 traces were dropped, which came faster than '${path}' was written`]);
  tracing.begin('m', 1, '', null)!.end();
  await tracing.close();
  const names = Array.from({ length: 11 }, (_, index) => `t.json.${index}`);
  expect(readdirSync(folder).sort()).toEqual(names.sort());
  for (const name of names.filter((text) => text !== 't.json.0')) expect(fileOf(name)).toHaveLength(1);
  expect(warnings).toHaveLength(2);
});

test('large traces are not collected until there are many', async () => {
  const { tracing } = setUp({ levels: ['TENSORS'] });
  const data = '1,'.repeat(600_000);
  const trace = tracing.begin('m', 1, '', null)!;
  trace.tensors.push({ activity: 'TENSOR_QUEUE_INPUT', tensor: { name: 'I', data, shape: '600000', dtype: 'INT8' } });
  trace.end();
  // Without a flush.
  await vi.waitFor(() => expect(fileOf('t.json')).toHaveLength(2));
  await tracing.close();
});
