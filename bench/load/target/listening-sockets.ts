import { isIPv4 } from 'node:net';
import { endianness } from 'node:os';

/** `st` of /proc/net/tcp. */
const LISTEN = '0A';

/**
 * Inodes of the sockets that listen on one of these addresses, or on all, and this port (proc_pid_net(5)).
 * @param tables texts of /proc/net/tcp and /proc/net/tcp6
 */
export function listeningInodes(tables: readonly string[], addresses: readonly string[], port: number): Set<string> {
  const portHex = port.toString(16).toUpperCase().padStart(4, '0');
  const wanted = new Set(addresses.flatMap(hexForms));
  const inodes = new Set<string>();
  for (const line of tables.flatMap((table) => table.split('\n'))) {
    const fields = line.trim().split(/ +/);
    const [address = '', linePort] = fields[1]?.split(':') ?? [];
    if (fields[3] !== LISTEN || linePort !== portHex) continue;
    if (/^0+$/.test(address) || wanted.has(address)) inodes.add(fields[9]!);
  }
  return inodes;
}

/** The inode that a link of /proc/PID/fd names; null = it is no socket. */
export function socketInode(link: string): string | null {
  return /^socket:\[([0-9]+)\]$/.exec(link)?.[1] ?? null;
}

/** As the kernel writes an address: words of 32 bits, each in the order of this machine. IPv4 may be listened to as IPv6. */
function hexForms(address: string): string[] {
  if (!isIPv4(address)) return [hexOf(ipv6Bytes(address))];
  const bytes = Buffer.from(address.split('.').map(Number));
  const mapped = Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), bytes]);
  return [hexOf(bytes), hexOf(mapped)];
}

function hexOf(bytes: Buffer): string {
  const words = Buffer.from(bytes);
  if (endianness() === 'LE') words.swap32();
  return words.toString('hex').toUpperCase();
}

function ipv6Bytes(address: string): Buffer {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const middle = Math.max(0, 16 - front.length - back.length);
  return Buffer.from([...front, ...new Array<number>(middle).fill(0), ...back]).subarray(0, 16);
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (isIPv4(group)) return group.split('.').map(Number);
    const word = Number.parseInt(group, 16);
    return [word >> 8, word & 0xff];
  });
}
