import { createHash } from 'node:crypto';
import { invalid, type ServerError } from '../../types/errors.js';

/** One object of a model, as a listing has it. */
export interface ListedObject {
  readonly key: string;
  /** Without its quotes. */
  readonly etag: string;
  readonly bytes: number;
}

/** One file of a model, or a folder that has an object of its own. */
export interface ModelObject extends ListedObject {
  /** Inside the model's folder, with forward slashes; one at the end says that it is a folder. */
  readonly path: string;
}

/** Everything the store has of a model at one moment. */
export interface ModelState {
  /** The same exactly where the same paths have the same ETags and sizes; a name of a folder. */
  readonly id: string;
  /** By path, ascending. */
  readonly objects: readonly ModelObject[];
}

/** What has to be done for a state, where another one is there already. Paths as in `ModelObject`. */
export interface StatePlan {
  /** Parents come first. */
  readonly folders: readonly string[];
  readonly reused: readonly ModelObject[];
  readonly downloaded: readonly ModelObject[];
}

/** Of one model: so much is held in memory and listed again and again. */
const OBJECTS_MAX = 100_000;
/** Of one name in a file system. */
const SEGMENT_BYTES_MAX = 255;

/**
 * @param prefix what the keys of this model begin with, its name and a slash at the end
 * @throws INVALID_ARGUMENT for keys that are no paths inside a folder, or that contradict each other
 */
export function modelState(prefix: string, listing: readonly ListedObject[]): ModelState {
  if (listing.length > OBJECTS_MAX) throw invalid(`expected at most ${OBJECTS_MAX} objects, found ${listing.length}`);
  const objects = listing
    // The folder itself.
    .filter(({ key }) => key !== prefix)
    .map((object) => ({ ...object, path: pathOf(object, prefix) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  checkFolders(objects);
  const hash = createHash('sha256');
  for (const { path, etag, bytes } of objects) hash.update(`${path}\0${etag}\0${bytes}\n`);
  return { id: hash.digest('hex').slice(0, 32), objects };
}

/** What is the same is taken over: same path, ETag and size. */
export function planState(wanted: ModelState, present: ModelState | null): StatePlan {
  const before = new Map(present?.objects.map((object) => [object.path, object]));
  const isThere = ({ path, etag, bytes }: ModelObject) => {
    const known = before.get(path);
    return known?.etag === etag && known.bytes === bytes;
  };
  const files = wanted.objects.filter(({ path }) => !path.endsWith('/'));
  return {
    folders: [...new Set(wanted.objects.flatMap(({ path }) => foldersOf(path)))].sort(),
    reused: files.filter(isThere),
    downloaded: files.filter((object) => !isThere(object)),
  };
}

/** Why a name cannot be one of a file or folder; '' = it can. */
export function nameProblem(name: string): string {
  if (name === '') return 'an empty name (two slashes in a row, or one in front)';
  if (name === '.' || name === '..') return `'${name}' as a name`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f\\/]/.test(name)) return 'a control character, slash or backslash in a name';
  return Buffer.byteLength(name) > SEGMENT_BYTES_MAX ? `a name of more than ${SEGMENT_BYTES_MAX} bytes` : '';
}

export function wrongKey(key: string, found: string): ServerError {
  const shown = JSON.stringify(key.length > 200 ? `${key.slice(0, 200)}...` : key);
  return invalid(
    `the key ${shown} is refused: expected a path inside the model's folder, found ${found}; rename the object`,
  );
}

function pathOf({ key, bytes }: ListedObject, prefix: string): string {
  const path = key.slice(prefix.length);
  const isFolder = path.endsWith('/');
  const names = (isFolder ? path.slice(0, -1) : path).split('/');
  const problem = names.map(nameProblem).find((text) => text !== '');
  if (problem !== undefined) throw wrongKey(key, problem);
  if (isFolder && bytes > 0) throw wrongKey(key, `a folder with ${bytes} bytes of content`);
  return path;
}

/** A store may have both `a` and `a/b`, a file system not. */
function checkFolders(objects: readonly ModelObject[]): void {
  const folders = new Set(objects.flatMap(({ path }) => foldersOf(path)));
  const both = objects.find(({ path }) => folders.has(`${path}/`));
  if (both !== undefined) throw wrongKey(both.key, 'another key that has it as its folder');
}

/** `a/b/c` is in `a/` and `a/b/`; `a/b/` is those itself. */
function foldersOf(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => `${names.slice(0, index + 1).join('/')}/`);
}
