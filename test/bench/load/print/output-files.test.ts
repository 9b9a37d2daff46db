import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkOutputFiles } from '../../../../bench/load/print/output-files.js';

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
