import { applyEdits, remove, replaceValue } from '../../src/check/edits.js';
import type { Edit } from '../../src/check/finding.js';
import type { ConfigSource, FieldPath } from '../../src/config/config-source.js';
import { parseWithSource } from '../../src/config/pbtxt.js';
import type { Candidate } from './space.js';

const THREADS: FieldPath = ['parameters', { key: 'intra_op_thread_count' }];

/**
 * The text of a configuration with these values; what is left out, and everything else, comments among it, stays as it is. `text` '' = the model
 * has no file. Throws where the text has several instance groups and their number changes: which of them is meant cannot be known.
 */
export function tunedConfig(text: string, file: string, changes: Partial<Candidate>): string {
  const { instances, maxBatchSize, queueDelayUs, threads } = changes;
  const edits: ((source: ConfigSource) => string)[] = [];
  if (instances !== undefined) edits.push((source) => setInstances(source, instances));
  if (maxBatchSize !== undefined) edits.push((source) => setBatchSize(source, maxBatchSize));
  if (queueDelayUs !== undefined) edits.push((source) => setQueueDelay(source, queueDelayUs));
  if (threads !== undefined) edits.push((source) => setThreads(source, threads));
  // One after another, each on the text that the one before has left: so they cannot overlap.
  return edits.reduce((before, edit) => edit(parseWithSource(before, file).source), text);
}

function setInstances(source: ConfigSource, count: number): string {
  const groups = source.children(['instance_group']);
  if (groups.length > 1) {
    throw new Error(
      `${source.file}: expected one instance_group, found ${groups.length}; take the others out to have the model tuned`,
    );
  }
  if (groups.length === 0) return appended(source, `instance_group [ { count: ${count} } ]`);
  return withField(source, groups[0]!, 'count', String(count));
}

function setBatchSize(source: ConfigSource, size: number): string {
  if (source.place(['max_batch_size']) === null)
    return size === 0 ? source.text : appended(source, `max_batch_size: ${size}`);
  return applyEdits(source.text, replaceValue(source, ['max_batch_size'], String(size)));
}

function setQueueDelay(source: ConfigSource, delayUs: number | null): string {
  const isThere = source.place(['dynamic_batching']) !== null;
  if (delayUs === null) return isThere ? applyEdits(source.text, remove(source, ['dynamic_batching'])) : source.text;
  if (!isThere) return appended(source, `dynamic_batching { max_queue_delay_microseconds: ${delayUs} }`);
  return withField(source, ['dynamic_batching'], 'max_queue_delay_microseconds', String(delayUs));
}

function setThreads(source: ConfigSource, threads: number | null): string {
  const isThere = source.place(THREADS) !== null;
  if (threads === null) return isThere ? applyEdits(source.text, remove(source, THREADS)) : source.text;
  if (!isThere) {
    return appended(source, `parameters { key: "intra_op_thread_count" value { string_value: "${threads}" } }`);
  }
  return withField(source, THREADS, 'string_value', `"${threads}"`);
}

/** A message that is there gets a field, or another value for it. */
function withField(source: ConfigSource, message: FieldPath, field: string, value: string): string {
  const path = [...message, field];
  if (source.place(path) !== null) return applyEdits(source.text, replaceValue(source, path, value));
  const place = source.place(message)!;
  // The last character is the bracket that closes it.
  const end = (place.item?.end ?? place.statement.end) - 1;
  const isSpaced = /\s$/.test(source.text.slice(0, end));
  const edit: Edit = { at: end, end, text: `${isSpaced ? '' : ' '}${field}: ${value} ` };
  return applyEdits(source.text, [edit]);
}

function appended({ text }: ConfigSource, statement: string): string {
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${statement}\n`;
}
