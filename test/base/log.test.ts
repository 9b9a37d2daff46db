import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLog, type LogSettings, openSink, type ServerLog } from '../../src/base/log.js';

const everything: LogSettings = { verbose: 0, info: true, warning: true, error: true, format: 'default', file: '' };
const time = Date.UTC(2024, 10, 24, 15, 20, 1, 123);

/** A log with its lines by target: 1 and 2 are the streams of the process. */
function recorded(settings: Partial<LogSettings> = {}): {
  log: ServerLog;
  lines: Record<string, string[]>;
  closed: string[];
} {
  const lines: Record<string, string[]> = {};
  const closed: string[] = [];
  const open = (target: 1 | 2 | string) => {
    if (target === '/missing/file') throw new Error('ENOENT');
    const written = lines[target] ?? [];
    lines[target] = written;
    return { write: (line: string) => void written.push(line), close: () => void closed.push(String(target)) };
  };
  return { log: createLog({ ...everything, ...settings }, 'server', open, () => time), lines, closed };
}

describe('a line', () => {
  test('has the default form of Triton, in UTC', () => {
    const { log, lines } = recorded();
    log.info('Started');
    log.warning('careful');
    log.error('broken');
    expect(lines['1']).toEqual([`I1124 15:20:01.123000 ${process.pid} server] "Started"\n`]);
    expect(lines['2']).toEqual([
      `W1124 15:20:01.123000 ${process.pid} server] "careful"\n`,
      `E1124 15:20:01.123000 ${process.pid} server] "broken"\n`,
    ]);
  });

  test('has the form ISO8601', () => {
    const { log, lines } = recorded({ format: 'ISO8601' });
    log.child('http').error('broken');
    expect(lines['2']).toEqual([`2024-11-24T15:20:01Z E ${process.pid} http] "broken"\n`]);
  });

  test('is an object in the form json, with what it is about', () => {
    const { log, lines } = recorded({ format: 'json', verbose: 1 });
    log.warning('a "quoted"\nline');
    log.child('core').verbose(1, 'failed', { model: 'm', requestId: 'r7' });
    log.verbose(1, 'failed', { model: 'm', requestId: '' });
    const common = { time: '2024-11-24T15:20:01.123Z', pid: process.pid };
    expect(lines['2']!.map((line) => JSON.parse(line))).toEqual([
      { ...common, level: 'warning', area: 'server', msg: 'a "quoted"\nline' },
    ]);
    expect(lines['1']!.map((line) => JSON.parse(line))).toEqual([
      { ...common, level: 'info', area: 'core', model: 'm', msg: 'failed', request_id: 'r7' },
      { ...common, level: 'info', area: 'server', model: 'm', msg: 'failed' },
    ]);
  });

  test('is one line, whatever the message holds', () => {
    const { log, lines } = recorded();
    log.info('a "quoted"\nsecond\u0000 line');
    expect(lines['1']![0]).toMatch(/ server\] "a \\"quoted\\"\\nsecond\\u0000 line"\n$/);
  });

  test('is not escaped where the environment says so', () => {
    vi.stubEnv('TRITON_SERVER_ESCAPE_LOG_MESSAGES', '0');
    const { log, lines } = recorded();
    vi.unstubAllEnvs();
    log.info('a "quoted"');
    expect(lines['1']![0]).toMatch(/ server\] a "quoted"\n$/);
  });
});

describe('settings', () => {
  test('switch each severity on its own', () => {
    const { log, lines } = recorded({ info: false, error: false });
    log.info('i');
    log.warning('w');
    log.error('e');
    expect(lines).toEqual({ 1: [], 2: [expect.stringContaining('"w"')] });
  });

  test('show verbose lines up to their level, as INFO, also without INFO', () => {
    const { log, lines } = recorded({ info: false, verbose: 2 });
    for (const level of [1, 2, 3]) log.verbose(level, `v${level}`);
    expect(lines['1']).toEqual([expect.stringMatching(/^I.*"v1"/), expect.stringMatching(/^I.*"v2"/)]);
  });

  test('change at run time, for children too', () => {
    const { log, lines } = recorded();
    const child = log.child('http');
    log.change({ info: false, verbose: 1, format: 'ISO8601' });
    child.info('hidden');
    child.verbose(1, 'shown');
    expect(lines['1']).toEqual([`2024-11-24T15:20:01Z I ${process.pid} http] "shown"\n`]);
    expect(log.settings).toEqual({ ...everything, info: false, verbose: 1, format: 'ISO8601' });
  });

  test('move all lines to a file and back', () => {
    const { log, lines, closed } = recorded();
    log.change({ file: 'a' });
    log.info('i');
    log.error('e');
    log.change({ file: 'b' });
    log.change({ file: 'b', info: true });
    log.warning('w');
    log.change({ file: '' });
    log.info('out');
    expect([lines.a?.length, lines.b?.length, lines['1']?.length, lines['2']?.length]).toEqual([2, 1, 1, 0]);
    expect(closed).toEqual(['a', 'b']);
  });

  test('stay as they were when the new file cannot be opened', () => {
    const { log, lines } = recorded();
    expect(() => log.change({ file: '/missing/file', info: false })).toThrow('ENOENT');
    log.info('still here');
    expect(log.settings).toEqual(everything);
    expect(lines['1']).toHaveLength(1);
  });
});

describe('the file system', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'conch-log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('has each line at once, behind what the file held', () => {
    const file = join(folder, 'log');
    appendFileSync(file, 'before\n');
    const sink = openSink(file);
    sink.write('one\n');
    expect(readFileSync(file, 'utf8')).toBe('before\none\n');
    sink.write('two\n');
    sink.close();
    expect(readFileSync(file, 'utf8')).toBe('before\none\ntwo\n');
  });

  test('says why a file cannot be opened', () => {
    expect(() => createLog({ ...everything, file: join(folder, 'none', 'log') })).toThrow(/ENOENT.*none/);
  });
});

describe('a process that logs and exits', () => {
  const built = pathToFileURL(join(import.meta.dirname, '../../dist/src/base/log.js')).href;
  const program = `
    const { createLog } = await import(${JSON.stringify(built)});
    const log = createLog(${JSON.stringify(everything)});
    for (let i = 0; i < 20000; i++) log.info('line ' + i);
    log.error('last');
    process.exit(3);`;
  const args = ['--input-type=module', '--eval', program];

  test('loses no line to process.exit', () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
    expect(stdout.trimEnd().split('\n')).toHaveLength(20000);
    expect(stderr).toMatch(/ server\] "last"\n$/);
    expect(status).toBe(3);
  });

  test('does not hang or die when nobody reads its output any more', async () => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.destroy();
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(status).toBe(3);
  });
});
