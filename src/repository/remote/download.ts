import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerError } from '../../types/errors.js';
import { cacheError } from './model-cache.js';
import type { ListedObject } from './model-state.js';
import type { S3Store } from './s3-store.js';
import { isPassing, ObjectChanged } from './store-error.js';

/** In a row, without a single byte. The SDK repeats what fails before the first byte by itself. */
const CUTS_MAX = 5;

/**
 * Writes an object to a new file, chunk by chunk. Where the connection is cut it goes on at that byte.
 * @param retryMs before it goes on for the first time; doubled with each cut that brought nothing
 * @throws ObjectChanged where the store has not this object any more, or its bytes are not those of its size and ETag; ServerError
 * where the store is away
 */
export async function download(
  store: S3Store,
  object: ListedObject,
  path: string,
  retryMs: number,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(path, 'ax', 0o600);
  try {
    const transfer = new Transfer(store, object, file, path);
    for (let cuts = 0; !(await transfer.advance(signal)); ) {
      cuts = transfer.gotBytes ? 0 : cuts + 1;
      if (cuts === CUTS_MAX) throw transfer.lastError;
      await pause(retryMs * 2 ** cuts, undefined, { signal });
    }
    transfer.check();
  } finally {
    await file.close();
  }
}

class Transfer {
  lastError: ServerError | null = null;
  /** The last connection brought at least one. */
  gotBytes = false;
  readonly #store: S3Store;
  readonly #object: ListedObject;
  readonly #file: FileHandle;
  readonly #path: string;
  #hash = createHash('md5');
  #bytes = 0;
  #isEncrypted = false;

  constructor(store: S3Store, object: ListedObject, file: FileHandle, path: string) {
    this.#store = store;
    this.#object = object;
    this.#file = file;
    this.#path = path;
  }

  get #name(): string {
    return JSON.stringify(this.#object.key);
  }

  /** Uses one connection as far as it goes. True = everything is there. */
  async advance(signal: AbortSignal): Promise<boolean> {
    this.gotBytes = false;
    try {
      const content = await this.#store.read(this.#object, this.#bytes, signal);
      if (!content.isRest) await this.#restart();
      this.#isEncrypted = content.isEncrypted;
      for await (const chunk of content.chunks) await this.#take(chunk);
      if (this.#bytes === this.#object.bytes) return true;
      throw new Error('aborted');
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ObjectChanged) throw error;
      this.lastError = this.#store.error(error, `to read ${this.#name}`);
      if (!isPassing(this.lastError)) throw this.lastError;
      return false;
    }
  }

  /** @throws ObjectChanged where the bytes are not those of the ETag, which is their MD5 where it looks like one */
  check(): void {
    const { etag } = this.#object;
    if (this.#isEncrypted || !this.#store.hasMd5 || !/^[0-9a-f]{32}$/i.test(etag)) return;
    const found = this.#hash.digest('hex');
    if (found === etag.toLowerCase()) return;
    throw new ObjectChanged(`the object ${this.#name} has the MD5 ${found}, its ETag is ${etag}`);
  }

  async #take(chunk: Uint8Array): Promise<void> {
    const { bytes } = this.#object;
    this.gotBytes = true;
    this.#bytes += chunk.length;
    if (this.#bytes > bytes) throw new ObjectChanged(`the object ${this.#name} has more than ${bytes} bytes`);
    this.#hash.update(chunk);
    await this.#file.appendFile(chunk).catch((error) => {
      throw cacheError(this.#path, error);
    });
  }

  /** The store does not know ranges. */
  async #restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash('md5');
    this.#bytes = 0;
  }
}
