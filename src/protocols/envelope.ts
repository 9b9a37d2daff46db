import { invalid } from '../types/errors.js';
import { JsonScanner } from './json-scanner.js';
import { asString } from './v2-json-values.js';

/** What a message says beside the inference: its outermost members that are this protocol's own. */
export interface Envelope {
  /** The id of the request that is to be given up; null = this is a request. */
  readonly cancel: string | null;
  /** '' = none, or it is no string. */
  readonly id: string;
  /** '' = none. */
  readonly modelName: string;
  /** '' = the latest. */
  readonly modelVersion: string;
}

type Own = 'cancel' | 'model_name' | 'model_version' | 'id';

const QUOTE = 0x22;
const OBJECT = 0x7b;
const ARRAY = 0x5b;

/** Reads bytes `begin` to `end` of a message. Throws INVALID_ARGUMENT where that is no JSON object, or a member is no string. */
export function readEnvelope(body: Buffer, begin: number, end: number): Envelope {
  const members = new Map<Own, unknown>();
  scan(body, begin, end, members);
  const text = (name: Own) => (members.has(name) ? asString(members.get(name), name) : '');
  return {
    cancel: members.has('cancel') ? text('cancel') : null,
    id: idIn(members),
    modelName: text('model_name'),
    modelVersion: text('model_version'),
  };
}

/** The id of a message that is refused, as far as it can be made out; '' = none. */
export function findId(body: Buffer, begin: number, end: number): string {
  const members = new Map<Own, unknown>();
  try {
    scan(body, begin, end, members);
  } catch {
    // What is wrong with it was told already.
  }
  return idIn(members);
}

function idIn(members: ReadonlyMap<Own, unknown>): string {
  const id = members.get('id');
  return typeof id === 'string' ? id : '';
}

/** Takes up the members of our own, of those given twice the first; all others are skipped. */
function scan(body: Buffer, begin: number, end: number, members: Map<Own, unknown>): void {
  const hasMark = body[begin] === 0xef && body[begin + 1] === 0xbb && body[begin + 2] === 0xbf;
  const scanner = new JsonScanner(body, hasMark ? begin + 3 : begin, end);
  if (scanner.peek() === -1) throw scanner.error('The document is empty.');
  if (!scanner.take(OBJECT)) throw invalid('failed to parse the request JSON buffer: a message is a JSON object');
  for (let index = 0; scanner.next(index, 0x7d); index++) {
    const name = scanner.key();
    if (isOwn(name) && !members.has(name)) members.set(name, scanner.value());
    else skip(scanner);
  }
}

function isOwn(name: string): name is Own {
  return name === 'id' || name === 'cancel' || name === 'model_name' || name === 'model_version';
}

/** Whether what is skipped is right is for whoever reads it. */
function skip(scanner: JsonScanner): void {
  const byte = scanner.peek();
  if (byte === QUOTE) scanner.skipString();
  else if (byte === OBJECT || byte === ARRAY) scanner.skipArray();
  else scanner.value();
}
