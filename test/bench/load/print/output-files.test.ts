import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkOutputFiles, writeOutputFiles } from '../../../../bench/load/print/output-files.js';

const folder = mkdtempSync(join(tmpdir(), 'conch-outputs-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('files that can be written, there or not yet, and none', async () => {
  const known = join(folder, 'known.json');
  writeFileSync(known, '{}');
  await checkOutputFiles({ '--json': known, '--html': join(folder, 'new.html'), '--csv': null });
  await checkOutputFiles({ '--json': '/dev/null' });
});

test('a folder that is not there, and one in place of a file', async () => {
  await expect(checkOutputFiles({ '--csv': null, '--json': '/nowhere/a.json' })).rejects.toThrow(
    /^--json \/nowhere\/a\.json cannot be written: ENOENT/,
  );
  await expect(checkOutputFiles({ '--html': folder })).rejects.toThrow(
    `--html ${folder} cannot be written: it is a folder`,
  );
});

test('two flags may not name one file, but for one that takes everything', async () => {
  const file = join(folder, 'same');
  await expect(checkOutputFiles({ '--csv': file, '--json': join(folder, '.', 'same') })).rejects.toThrow(
    `--csv and --json name the same file, ${file}: one would replace the other`,
  );
  await checkOutputFiles({ '--csv': '/dev/null', '--json': '/dev/null' });
});

test('a file that cannot be written does not keep the others from being written', async () => {
  const file = join(folder, 'written');
  const failures = await writeOutputFiles([
    ['--csv', null, () => 'nowhere'],
    ['--json', '/dev/full', () => 'too much'],
    ['--html', file, () => 'page'],
  ]);
  expect(failures).toEqual([expect.stringMatching(/^--json \/dev\/full cannot be written: ENOSPC/)]);
  expect(readFileSync(file, 'utf8')).toBe('page');
});
