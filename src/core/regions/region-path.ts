import { invalid } from '../../types/errors.js';

/** Where Linux keeps the objects of POSIX shared memory (shm_overview(7)). */
const FOLDER = '/dev/shm';
const LONGEST_NAME_BYTES = 255;
/** Memory of Triton's own Python backend, which clients may not see. */
const RESERVED = 'triton_python_backend_shm_region_';

/**
 * The file of a POSIX key, `/x` or `x`: nothing but a name, so that it never leads out of the folder. Throws INVALID_ARGUMENT with the
 * texts of fact sheet 1.6. @param region that is to be registered
 */
export function regionPath(region: string, key: string): string {
  const name = key.replace(/^\/+/, '');
  if (name.startsWith(RESERVED)) {
    throw invalid(
      `cannot register shared memory region '${region}' with key '${key}' as the key contains the reserved prefix '${RESERVED}'`,
    );
  }
  const isName = name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
  if (isName && Buffer.byteLength(name) <= LONGEST_NAME_BYTES) return `${FOLDER}/${name}`;
  throw invalid(`cannot register shared memory region '${region}' - invalid shm key '${key}'`);
}
