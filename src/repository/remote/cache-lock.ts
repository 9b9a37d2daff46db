import { type FileHandle, open } from 'node:fs/promises';
import { constants } from 'node:os';
import { ServerError } from '../../types/errors.js';

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes a file as a lock, until the handle is closed or the process ends, however it ends: the kernel keeps it (`flock`). A number of
 * a process in a file would say nothing where containers share a folder.
 * @returns null where somebody else has it
 * @throws INTERNAL where the file system has no locks
 */
export async function tryLock(path: string): Promise<FileHandle | null> {
  const { default: koffi } = await import('koffi');
  const flock = koffi.load(null).func('int flock(int fd, int operation)');
  const handle = await open(path, 'a', 0o600);
  if (flock(handle.fd, LOCK_EX | LOCK_NB) === 0) return handle;
  const { EAGAIN } = constants.errno;
  const errno = koffi.errno();
  await handle.close();
  if (errno === EAGAIN) return null;
  throw new ServerError('INTERNAL', `the file ${path} cannot be locked (errno ${errno})`);
}
