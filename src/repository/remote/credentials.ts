import { readFile } from 'node:fs/promises';
import type { S3Location } from '../../config/repository-location.js';
import { invalid } from '../../types/errors.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What opens a store. '' = not given. */
export interface S3Access {
  readonly keyId: string;
  /** Never in a message. */
  readonly secretKey: string;
  readonly sessionToken: string;
  readonly region: string;
  /** Of the AWS profile files. */
  readonly profile: string;
  /** Where the keys come from, for messages. */
  readonly source: string;
}

/** An entry below `s3` in the file of TRITON_CLOUD_CREDENTIAL_PATH (fact sheet 10.5). */
type FileEntry = Partial<Record<'key_id' | 'secret_key' | 'session_token' | 'region' | 'profile', string>>;

/**
 * The file of TRITON_CLOUD_CREDENTIAL_PATH comes first, where it has an entry for the location; then the environment. Without keys the
 * SDK looks further: profile files, and the roles of containers and machines.
 * @throws INVALID_ARGUMENT for a file that cannot be read
 */
export async function findAccess(location: S3Location, env: Environment): Promise<S3Access> {
  const file = env.TRITON_CLOUD_CREDENTIAL_PATH ?? '';
  const entry = file === '' ? null : longestPrefix(await readEntries(file), location.url);
  return entry === null ? environmentAccess(env) : fileAccess(entry, file, env);
}

function fileAccess(entry: FileEntry, file: string, env: Environment): S3Access {
  return {
    keyId: entry.key_id ?? '',
    secretKey: entry.secret_key ?? '',
    sessionToken: entry.session_token ?? '',
    region: entry.region || environmentRegion(env),
    profile: entry.profile ?? '',
    source: `the file ${file}`,
  };
}

/** Keys in the environment come before AWS_PROFILE, as in Triton; the SDK has it the other way round. */
function environmentAccess(env: Environment): S3Access {
  const keyId = env.AWS_ACCESS_KEY_ID ?? '';
  const secretKey = env.AWS_SECRET_ACCESS_KEY ?? '';
  const hasKeys = keyId !== '' && secretKey !== '';
  const profile = env.AWS_PROFILE ?? '';
  const found = profile === '' ? 'the AWS profile files or the role of this machine' : `the AWS profile '${profile}'`;
  return {
    keyId: hasKeys ? keyId : '',
    secretKey: hasKeys ? secretKey : '',
    sessionToken: hasKeys ? (env.AWS_SESSION_TOKEN ?? '') : '',
    region: environmentRegion(env),
    profile: hasKeys ? '' : profile,
    source: hasKeys ? 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY' : found,
  };
}

function environmentRegion(env: Environment): string {
  return env.AWS_REGION || env.AWS_DEFAULT_REGION || '';
}

async function readEntries(file: string): Promise<Record<string, FileEntry>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw invalid(`TRITON_CLOUD_CREDENTIAL_PATH: the file ${file} cannot be read: ${error.code}`);
  });
  const entries = parseEntries(text);
  if (entries !== null) return entries;
  throw invalid(
    `TRITON_CLOUD_CREDENTIAL_PATH: expected JSON of the form {"s3":{"s3://BUCKET":{"key_id":"...","secret_key":"..."}}} in ${file}`,
  );
}

/** Null = it is none. What the parser says is not shown: it repeats a piece of the text, which has secrets. */
function parseEntries(text: string): Record<string, FileEntry> | null {
  try {
    const { s3 = {} } = JSON.parse(text) as { s3?: Record<string, FileEntry> };
    const isText = (value: unknown) => typeof value === 'string';
    return Object.values(s3).every((entry) => Object.values(entry).every(isText)) ? s3 : null;
  } catch {
    return null;
  }
}

/** Null = no entry is for it; the entry '' is for all. */
function longestPrefix(entries: Record<string, FileEntry>, url: string): FileEntry | null {
  const fitting = Object.keys(entries).filter((prefix) => url.startsWith(prefix));
  const longest = fitting.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? null : entries[longest]!;
}
