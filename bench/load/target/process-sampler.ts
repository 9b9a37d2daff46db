import { lookup } from 'node:dns/promises';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { cpuMicroseconds, residentBytes } from '../../server/proc.js';
import { listeningInodes, socketInode } from './listening-sockets.js';

/** At one moment. */
export interface ProcessLook {
  /** Since the process began, all its threads together. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** What the server's process takes of this machine; its children are not counted. */
export class ProcessSampler {
  readonly pid: number;

  private constructor(pid: number) {
    this.pid = pid;
  }

  /** Of who listens there; null = that is not this machine, or it is not to be seen who (another user's process, not Linux). */
  static async find(host: string, port: number): Promise<ProcessSampler | null> {
    try {
      const pid = await findListener(await localAddresses(host), port);
      return pid === null ? null : await ProcessSampler.of(pid);
    } catch {
      return null;
    }
  }

  /** Rejects where there is no such process, or no /proc. */
  static async of(pid: number): Promise<ProcessSampler> {
    await cpuMicroseconds(pid);
    return new ProcessSampler(pid);
  }

  /** null = the process has ended. */
  async look(): Promise<ProcessLook | null> {
    try {
      const [cpuUs, memoryBytes] = await Promise.all([cpuMicroseconds(this.pid), residentBytes(this.pid)]);
      return { cpuSeconds: cpuUs / 1e6, memoryBytes };
    } catch {
      return null;
    }
  }
}

/** Addresses of a name that are this machine's. */
async function localAddresses(host: string): Promise<string[]> {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((cards) => cards?.map(({ address }) => address) ?? []),
  );
  const addresses = await lookup(host, { all: true });
  return addresses.map(({ address }) => address).filter((address) => own.has(address) || address.startsWith('127.'));
}

/** The first of those that share the socket. */
async function findListener(addresses: readonly string[], port: number): Promise<number | null> {
  if (addresses.length === 0) return null;
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  const inodes = listeningInodes(tables, addresses, port);
  if (inodes.size === 0) return null;
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  for (const pid of pids.sort((a, b) => a - b)) {
    if (await holdsSocket(pid, inodes)) return pid;
  }
  return null;
}

/** False also for processes of others. */
async function holdsSocket(pid: number, inodes: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  const files = await readdir(folder).catch(() => []);
  const links = await Promise.all(files.map((file) => readlink(`${folder}/${file}`).catch(() => '')));
  return links.some((link) => inodes.has(socketInode(link) ?? ''));
}
