import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SETTLE_MS } from '../../src/repository/settling.js';
import { ServerError } from '../../src/types/errors.js';
import { RepositoryStage, until } from './repository-stage.js';

/** Files are written at the time of the machine; the server's stands still, later, until the test moves it. */
const LATER_MS = 3_600_000;

let stage: RepositoryStage;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
});

afterEach(async () => {
  vi.useRealTimers();
  await stage.close();
});

/** As if all that is there had been written long ago. */
function age(): void {
  vi.setSystemTime(vi.getRealSystemTime() + LATER_MS);
}

/** As if all that is there had just been written, or its clock were ahead. */
function rejuvenate(): void {
  vi.setSystemTime(vi.getRealSystemTime() - 1000);
}

const at = (path: string) => join(stage.folder.path, path);

async function start(texts: Readonly<Record<string, string>>): Promise<void> {
  stage = new RepositoryStage({ mode: 'poll' });
  stage.models(texts);
  age();
  await stage.repository.start();
  stage.events.length = 0;
}

/** One look, and all that comes of it. */
async function poll(): Promise<number> {
  const waitMs = await stage.repository.poll();
  await new Promise((resolve) => setImmediate(resolve));
  return waitMs;
}

describe('a look at the repositories', () => {
  it('does nothing where nothing happened', async () => {
    await start({ a: 'x', b: 'bad' });
    expect(await poll()).toBe(0);
    expect(stage.events).toEqual([]);
  });

  it('loads what is new, reloads what changed, and adjusts what only has other settings', async () => {
    await start({ a: 'x', b: 'y' });
    stage.models({ a: 'other', c: 'z' });
    stage.folder.make({ 'b/config.pbtxt': 'max_batch_size: 3' });
    expect(await poll()).toBe(0);
    await until(() => stage.served.length === 3);
    expect(stage.served).toEqual(['a/1 other', 'b/1 y', 'c/1 z']);
    expect(stage.events.sort()).toEqual(['adjust b/1', 'load a/1 other', 'load c/1 z', 'unload a/1 x']);
    expect(await poll()).toBe(0);
    expect(stage.events).toHaveLength(4);
  });

  it('unloads and forgets what is gone, when it has been gone for a while', async () => {
    await start({ a: 'x', b: 'y' });
    rmSync(at('a'), { recursive: true });
    expect(await poll()).toBe(SETTLE_MS);
    vi.advanceTimersByTime(SETTLE_MS - 50);
    expect(await poll()).toBe(50);
    expect(stage.served).toEqual(['a/1 x', 'b/1 y']);
    vi.advanceTimersByTime(50);
    expect(await poll()).toBe(0);
    expect(stage.events).toEqual(['unload a/1 x']);
    expect(await stage.index()).toEqual(['b/1 READY']);
    expect(stage.lines).toContain("I model 'a' is gone from its repository: it is unloaded");
    const count = stage.lines.length;
    for (let i = 0; i < 3; i++) {
      expect(await poll()).toBe(0);
      vi.advanceTimersByTime(SETTLE_MS);
    }
    expect(stage.lines).toHaveLength(count);
  });

  it('leaves alone what goes and comes back as it was', async () => {
    await start({ a: 'x' });
    for (let i = 0; i < 2; i++) {
      renameSync(at('a'), at('.away'));
      expect(await poll()).toBe(SETTLE_MS);
      vi.advanceTimersByTime(SETTLE_MS - 50);
      renameSync(at('.away'), at('a'));
      expect(await poll()).toBe(0);
      vi.advanceTimersByTime(SETTLE_MS);
    }
    expect(stage.events).toEqual([]);
  });

  it('loads what comes back as something else', async () => {
    await start({ a: 'x' });
    rmSync(at('a'), { recursive: true });
    await poll();
    vi.advanceTimersByTime(SETTLE_MS);
    await poll();
    stage.models({ a: 'other' });
    await poll();
    await until(() => stage.served.length === 1);
    expect(stage.served).toEqual(['a/1 other']);
  });

  it('waits for what is new until it has stood still', async () => {
    await start({ a: 'x' });
    rejuvenate();
    stage.models({ b: 'y' });
    expect(await poll()).toBe(SETTLE_MS);
    vi.advanceTimersByTime(150);
    stage.models({ b: 'longer' });
    expect(await poll()).toBe(SETTLE_MS);
    vi.advanceTimersByTime(150);
    expect(await poll()).toBe(50);
    expect(stage.events).toEqual([]);
    vi.advanceTimersByTime(50);
    expect(await poll()).toBe(0);
    await until(() => stage.served.length === 2);
    expect(stage.events).toEqual(['load b/1 longer']);
  });

  it('says the shortest time to wait of several', async () => {
    await start({ a: 'x', b: 'y' });
    rmSync(at('a'), { recursive: true });
    await poll();
    vi.advanceTimersByTime(80);
    rmSync(at('b'), { recursive: true });
    expect(await poll()).toBe(120);
  });

  it('does not try again what failed and has not changed', async () => {
    await start({ a: 'x' });
    stage.models({ a: 'bad' });
    await poll();
    await until(() => stage.lines.some((line) => line.includes('what was loaded before goes on')));
    expect(stage.served).toEqual(['a/1 x']);
    await poll();
    expect(stage.events).toEqual(['load a/1 bad']);
    stage.models({ a: 'good' });
    await poll();
    await until(() => stage.events.length === 3);
    expect(stage.served).toEqual(['a/1 good']);
  });

  it('changes nothing where a repository cannot be read, and goes on when it can', async () => {
    await start({ a: 'x' });
    renameSync(stage.folder.path, `${stage.folder.path}-away`);
    for (let i = 0; i < 3; i++) {
      expect(await poll()).toBe(0);
      vi.advanceTimersByTime(SETTLE_MS);
    }
    expect([stage.served, stage.events]).toEqual([['a/1 x'], []]);
    expect(stage.lines.at(-1)).toMatch(
      /^E the model repositories cannot be looked at: .*; all models stay as they are$/,
    );
    renameSync(`${stage.folder.path}-away`, stage.folder.path);
    expect(await poll()).toBe(0);
    expect(stage.events).toEqual([]);
  });
});

describe('agents that take their time', () => {
  // Reading a pipe waits until somebody writes to it.
  const agent = 'agents { name: "checksum" parameters { key: "MD5:pipe" value: "d41d8cd98f00b204e9800998ecf8427e" } }';

  /** Resolves when the agent reads, with the end of its pipe: it is done when that is closed. */
  async function seesSlowModel(): Promise<number> {
    await start({ a: 'x' });
    stage.folder.make({ 'b/config.pbtxt': `model_repository_agents { ${agent} }`, 'b/1/model.onnx': 'slow' });
    execFileSync('mkfifo', [at('b/pipe')]);
    expect(await poll()).toBe(0);
    for (;;) {
      const end = endOf(at('b/pipe'));
      if (end !== null) return end;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Null = nobody reads it yet. */
  function endOf(pipe: string): number | null {
    try {
      return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
      return null;
    }
  }

  it('are waited for', async () => {
    const end = await seesSlowModel();
    expect(stage.events).toEqual([]);
    closeSync(end);
    await until(() => stage.served.length === 2);
  });

  it('end for nothing where their model is gone meanwhile', async () => {
    const end = await seesSlowModel();
    renameSync(at('b'), at('.away'));
    await poll();
    vi.advanceTimersByTime(SETTLE_MS);
    await poll();
    closeSync(end);
    // Whatever reads real files after this is behind what was to come of the pipe.
    for (let i = 0; i < 20; i++) await poll();
    expect(stage.events).toEqual([]);
    expect(await stage.index()).toEqual(['a/1 READY']);
  });
});

describe('remote repositories', () => {
  it('are brought here before each look; what cannot be had is said once and changes nothing', async () => {
    await start({ a: 'x' });
    const away = 'W Unavailable: no network; what is here already stays as it is';
    stage.onSync = async () => {
      throw new ServerError('UNAVAILABLE', 'no network');
    };
    for (let i = 0; i < 3; i++) expect(await poll()).toBe(0);
    expect(stage.lines.filter((line) => line === away)).toHaveLength(1);
    expect(stage.events).toEqual([]);
    stage.onSync = async () => stage.models({ a: 'other' });
    await poll();
    await until(() => stage.events.length === 2);
    expect(stage.served).toEqual(['a/1 other']);
    expect(stage.lines).toContain('I the model repositories can be had again');
  });

  it('are asked for the one model of a load, which fails where it cannot be had', async () => {
    stage = new RepositoryStage();
    age();
    stage.onSync = async (model) => stage.models({ [model!]: 'x' });
    expect(await stage.loads('m')).toBe('');
    stage.onSync = async () => {
      throw new ServerError('UNAVAILABLE', 'no network');
    };
    expect(await stage.loads('m')).toBe(
      "INTERNAL failed to load 'm', failed to poll from model repository: no network",
    );
    expect(stage.served).toEqual(['m/1 x']);
  });
});

describe('a load', () => {
  beforeEach(() => {
    stage = new RepositoryStage();
    stage.models({ m: 'x' });
    rejuvenate();
  });

  it('waits until the files have stood still', async () => {
    const load = stage.loads('m');
    await until(() => vi.getTimerCount() === 1);
    vi.advanceTimersByTime(SETTLE_MS - 1);
    stage.models({ m: 'longer' });
    vi.advanceTimersByTime(1);
    await until(() => vi.getTimerCount() === 1);
    expect(stage.events).toEqual([]);
    vi.advanceTimersByTime(SETTLE_MS);
    expect(await load).toBe('');
    expect(stage.events).toEqual(['load m/1 longer']);
  });

  it('gives up where they never do', async () => {
    let isOver = false;
    const load = stage.loads('m').finally(() => {
      isOver = true;
    });
    for (let i = 0; !isOver; i++) {
      await until(() => vi.getTimerCount() === 1 || isOver);
      stage.models({ m: 'x'.repeat(i) });
      rejuvenate();
      vi.advanceTimersByTime(SETTLE_MS);
    }
    expect(await load).toBe(
      "UNAVAILABLE failed to load 'm': its files have been changing for 60 s; load it when they are complete",
    );
    expect(stage.events).toEqual([]);
  });
});
