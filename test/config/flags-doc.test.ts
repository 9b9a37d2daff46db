import { expect, test } from 'vitest';
import { flags } from '../../src/config/option-table.js';
import { flagsDocument } from './flags-doc.js';

test('docs/flags.md says what the table says', async () => {
  await expect(flagsDocument(flags)).toMatchFileSnapshot('../../docs/flags.md');
});
