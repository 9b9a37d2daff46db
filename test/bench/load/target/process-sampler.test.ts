import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { listeningInodes, socketInode } from '../../../../bench/load/target/listening-sockets.js';
import { ProcessSampler } from '../../../../bench/load/target/process-sampler.js';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (address: string, state: string, inode: number) =>
  `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0\n`;

describe('tables of sockets', () => {
  const tcp =
    HEAD +
    line('0100007F:1F40', '0A', 11) +
    line('00000000:1F40', '0A', 12) +
    line('0200007F:1F40', '0A', 13) +
    line('0100007F:1F40', '01', 14) +
    line('0100007F:1F41', '0A', 15);
  const tcp6 =
    HEAD +
    line('00000000000000000000000001000000:1F40', '0A', 21) +
    line('00000000000000000000000000000000:1F40', '0A', 22) +
    line('0000000000000000FFFF00000100007F:1F40', '0A', 23);

  test.each([
    ['127.0.0.1', ['11', '12', '22', '23']],
    ['127.0.0.2', ['12', '13', '22']],
    ['::1', ['12', '21', '22']],
    ['fe80::1%eth0', ['12', '22']],
  ])('who listens on %s, or on all addresses', (address, inodes) => {
    expect([...listeningInodes([tcp, tcp6], [address], 8000)]).toEqual(inodes);
  });

  test('links of files that are no sockets have no inode', () => {
    expect(['socket:[42]', 'pipe:[42]', '/dev/null'].map(socketInode)).toEqual(['42', null, null]);
  });
});

const BURNING = `
  const server = require('node:net').createServer().listen(0, '127.0.0.1', () => {
    console.log(server.address().port);
    setInterval(() => { const end = Date.now() + 20; while (Date.now() < end); }, 0);
  });`;

describe('a process that burns', () => {
  let child: ChildProcess;

  afterEach(() => child.kill('SIGKILL'));

  async function start(): Promise<number> {
    child = spawn(process.execPath, ['-e', BURNING], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = (await once(child.stdout!, 'data')) as [Buffer];
    return Number(text.toString());
  }

  test('is found by its port, and its CPU time and memory are seen', async () => {
    const port = await start();
    const sampler = (await ProcessSampler.find('localhost', port))!;
    expect(sampler.pid).toBe(child.pid);
    const before = (await sampler.look())!;
    let after = before;
    // As long as it takes the kernel to count a tick of CPU time.
    while (after.cpuSeconds === before.cpuSeconds) after = (await sampler.look())!;
    expect(after.cpuSeconds).toBeGreaterThan(before.cpuSeconds);
    expect(after.memoryBytes).toBeGreaterThan(10e6);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await sampler.look()).toBeNull();
  });
});

test('where nobody listens, or another machine is meant, there is none', async () => {
  expect(await ProcessSampler.find('127.0.0.1', 1)).toBeNull();
  expect(await ProcessSampler.find('192.0.2.1', 80)).toBeNull();
  expect(await ProcessSampler.find('no such name', 80)).toBeNull();
});
