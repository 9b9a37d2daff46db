import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/check/finding.js';
import { mendText, replaceFile } from '../../src/check/fix.js';
import { refusals } from '../../src/check/refusals.js';
import { batchingRule } from '../../src/check/rules-batching.js';
import { queueRule } from '../../src/check/rules-queue.js';
import { subject } from './subjects.js';

const inspect = async (text: string): Promise<Finding[]> => {
  const seen = subject({ text });
  return [refusals, queueRule, batchingRule].flatMap((rule) => rule(seen));
};

describe('mending', () => {
  test('takes out what has no effect and corrects what contradicts the model; all else stays as it is', async () => {
    const text = `# ours\r
max_batch_size: 4\r
input { name: "x" data_type: TYPE_FP32 dims: [ 1, 3 ] }  # an image\r
output { name: "y" data_type: TYPE_INT32 dims: 2 }\r
dynamic_batching {\r
  preferred_batch_size: [ 2, 8, 4, 2 ]  # sizes\r
  default_queue_policy {\r
    allow_timeout_override: true\r
    # bounded\r
    max_queue_size: 9\r
  }\r
}\r
`;
    const { text: after, fixed, findings } = await mendText(text, inspect);
    expect(after).toBe(`# ours\r
max_batch_size: 4\r
input { name: "x" data_type: TYPE_FP32 dims: [ 3 ] }  # an image\r
output { name: "y" data_type: TYPE_FP32 dims: 2 }\r
dynamic_batching {\r
  preferred_batch_size: [ 2, 4 ]  # sizes\r
  default_queue_policy {\r
    # bounded\r
    max_queue_size: 9\r
  }\r
}\r
`);
    expect(fixed.map(({ field }) => field)).toHaveLength(5);
    expect(findings).toEqual([]);
  });

  test('keeps a byte order mark', async () => {
    const { text } = await mendText(
      '\ufeffdynamic_batching { default_queue_policy { allow_timeout_override: true } }',
      inspect,
    );
    expect(text).toBe('\ufeffdynamic_batching { default_queue_policy { } }');
  });

  test('an edit that does not help is not made', async () => {
    const finding = (await inspect('dynamic_batching { default_priority_level: 2 }'))[0]!;
    const stubborn = { ...finding, edits: [{ at: 0, end: 0, text: '# ' }] };
    const { text, fixed } = await mendText('name: "m"', async () => [stubborn]);
    expect([text, fixed]).toEqual(['name: "m"', []]);
  });

  test('an edit that makes something else wrong is not made', async () => {
    const finding = (await inspect('dynamic_batching { default_priority_level: 2 }'))[0]!;
    const harmful = { ...finding, edits: [{ at: 0, end: 4, text: 'nmae' }] };
    const worse = { ...finding, rule: 'syntax', severity: 'error' as const, edits: [] };
    const { text } = await mendText('name: "m"', async (config) => (config.startsWith('name') ? [harmful] : [worse]));
    expect(text).toBe('name: "m"');
  });
});

describe('writing', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conch-fix-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('replaces the file, keeps its permissions and leaves nothing beside it', async () => {
    const file = join(folder, 'config.pbtxt');
    await writeFile(file, 'before');
    await chmod(file, 0o640);
    await replaceFile(file, 'before', 'after');
    expect(await readFile(file, 'utf8')).toBe('after');
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    expect(await readdir(folder)).toEqual(['config.pbtxt']);
  });

  test('a link stays a link', async () => {
    await writeFile(join(folder, 'real'), 'before');
    await symlink('real', join(folder, 'config.pbtxt'));
    await replaceFile(join(folder, 'config.pbtxt'), 'before', 'after');
    expect(await readFile(join(folder, 'real'), 'utf8')).toBe('after');
    expect((await readdir(folder)).sort()).toEqual(['config.pbtxt', 'real']);
  });

  test.each([
    ['was changed meanwhile', Buffer.from('changed')],
    ['is no UTF-8', Buffer.from([0xff])],
  ])('a file that %s is left alone', async (_, bytes) => {
    const file = join(folder, 'config.pbtxt');
    await writeFile(file, bytes);
    await expect(replaceFile(file, '\ufffd', 'after')).rejects.toThrow('is not written');
    expect(await readFile(file)).toEqual(bytes);
  });
});
