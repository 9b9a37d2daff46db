/** A file in the folder of translated models. */
export interface CachedFile {
  readonly name: string;
  readonly bytes: number;
  /** When somebody said last that it is used. */
  readonly usedMs: number;
}

/** Servers say more often than this of each file of theirs that it is used. */
export const LEASE_MS = 60 * 60 * 1000;

const MODEL = /^[0-9a-f]{64}\.onnx$/;
/** Of a file that is being written, or was when its writer died. */
const DRAFT = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Names of the files that may go, in this order, so that at most `maxBytes` stay: those longest not used, and what dead writers left. Never one
 * that was used within LEASE_MS, even where more stays then; nor anything with a name that is not one of ours.
 */
export function evictable(files: readonly CachedFile[], maxBytes: number, nowMs: number): string[] {
  const isUnused = ({ usedMs }: CachedFile) => nowMs - usedMs > LEASE_MS;
  const drafts = files.filter((file) => DRAFT.test(file.name) && isUnused(file)).map(({ name }) => name);
  const models = files.filter(({ name }) => MODEL.test(name));
  let bytes = models.reduce((sum, file) => sum + file.bytes, 0);
  const gone: string[] = [];
  for (const file of models.filter(isUnused).sort((a, b) => a.usedMs - b.usedMs)) {
    if (bytes <= maxBytes) break;
    gone.push(file.name);
    bytes -= file.bytes;
  }
  return [...drafts, ...gone];
}
