import { EventEmitter } from 'node:events';
import { watch } from 'chokidar';
import { afterEach, beforeEach, describe, expect, it, type Mock, vi } from 'vitest';
import { silentLog } from '../../src/base/log.js';
import { Poller } from '../../src/repository/poller.js';
import { SETTLE_MS } from '../../src/repository/settling.js';
import { TempFolder } from './temp-folder.js';

vi.mock('chokidar', { spy: true });

class Watcher extends EventEmitter {
  isClosed = false;

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

let watcher: Watcher;
let poll: Mock<() => Promise<number>>;
let warnings: string[];
let poller: Poller;

function use(pollSecs: number): void {
  const log = { ...silentLog, warning: (line: string) => warnings.push(line) };
  poller = new Poller({ folders: ['/r1', '/r2'], pollSecs }, poll, log);
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  watcher = new Watcher();
  vi.mocked(watch).mockImplementation(() => watcher as unknown as ReturnType<typeof watch>);
  poll = vi.fn(async () => 0);
  warnings = [];
  use(10);
});

afterEach(async () => {
  await poller.stop();
  vi.useRealTimers();
  vi.mocked(watch).mockReset();
});

/** The next poll lasts until what this returns is called. */
function holdPoll(): (waitMs: number) => void {
  let end = (_: number) => {};
  poll.mockImplementationOnce(
    () =>
      new Promise((resolve) => {
        end = resolve;
      }),
  );
  return (waitMs) => end(waitMs);
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('the poller', () => {
  it('polls every so often, from the start on', async () => {
    poller.start();
    await pass(9_999);
    expect(poll).toHaveBeenCalledTimes(0);
    await pass(1);
    expect(poll).toHaveBeenCalledTimes(1);
    await pass(10_000);
    expect(poll).toHaveBeenCalledTimes(2);
  });

  it('polls soon after something moved, once for all that moves until then', async () => {
    poller.start();
    expect(vi.mocked(watch).mock.calls[0]![0]).toEqual(['/r1', '/r2']);
    await pass(1000);
    for (let i = 0; i < 5; i++) {
      watcher.emit('all', 'change', '/r1/m/config.pbtxt');
      await pass(SETTLE_MS / 10);
    }
    await pass(SETTLE_MS / 2 - 1);
    expect(poll).toHaveBeenCalledTimes(0);
    await pass(1);
    expect(poll).toHaveBeenCalledTimes(1);
    await pass(9_999);
    expect(poll).toHaveBeenCalledTimes(1);
  });

  it('polls again when it is told to, not later', async () => {
    poll.mockResolvedValueOnce(70).mockResolvedValueOnce(30);
    poller.start();
    await pass(10_000);
    await pass(69);
    expect(poll).toHaveBeenCalledTimes(1);
    await pass(1);
    expect(poll).toHaveBeenCalledTimes(2);
    await pass(30);
    expect(poll).toHaveBeenCalledTimes(3);
    await pass(9_999);
    expect(poll).toHaveBeenCalledTimes(3);
  });

  it('waits for a poll that lasts, and looks again soon where something moved meanwhile', async () => {
    const end = holdPoll();
    poller.start();
    await pass(10_000);
    watcher.emit('all', 'add', '/r1/new');
    await pass(60_000);
    expect(poll).toHaveBeenCalledTimes(1);
    end(0);
    await pass(0);
    expect(poll).toHaveBeenCalledTimes(2);
    await pass(9_999);
    expect(poll).toHaveBeenCalledTimes(2);
  });

  it('does nothing at all where there is no polling', async () => {
    use(0);
    poller.start();
    expect(vi.getTimerCount()).toBe(0);
    expect(watch).not.toHaveBeenCalled();
  });

  it('warns once where something cannot be watched, and polls', async () => {
    poller.start();
    for (const text of ['ENOSPC', 'EMFILE']) watcher.emit('error', new Error(text));
    expect(warnings).toEqual(['some changes are seen by polling only: ENOSPC']);
    await pass(10_000);
    expect(poll).toHaveBeenCalledTimes(1);
  });

  it('stops, whatever moves or ends afterwards', async () => {
    const end = holdPoll();
    poller.start();
    await pass(10_000);
    await poller.stop();
    expect(watcher.isClosed).toBe(true);
    watcher.emit('all', 'add', '/r1/new');
    end(10);
    await pass(60_000);
    expect(poll).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('stops before it ever polled, and before it was started', async () => {
    poller.start();
    await poller.stop();
    expect(vi.getTimerCount()).toBe(0);
    use(10);
    await poller.stop();
  });
});

it('sees what really moves in a folder long before its time', async () => {
  vi.useRealTimers();
  const { watch: really } = await vi.importActual<typeof import('chokidar')>('chokidar');
  vi.mocked(watch).mockImplementation(really);
  const folder = new TempFolder();
  let count = 0;
  const polled = new Promise<void>((resolve) => {
    poll.mockImplementation(async () => {
      resolve();
      return 0;
    });
  });
  poller = new Poller({ folders: [folder.path], pollSecs: 3600 }, poll, silentLog);
  poller.start();
  // The watcher does not say when it has begun.
  const writing = setInterval(() => folder.make({ [`m/1/${count++}`]: '' }), 10);
  await polled.finally(() => clearInterval(writing));
  await poller.stop();
  folder.remove();
});
