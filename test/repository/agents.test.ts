import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { runAgents } from '../../src/repository/agents.js';
import { TempFolder } from './temp-folder.js';

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

let folder: TempFolder;

beforeEach(() => {
  folder = new TempFolder();
  folder.make({ 'm/1/model.onnx': 'model', 'm/labels.txt': 'labels', secret: 'secret' });
});

afterEach(() => folder.remove());

function run(parameters: Readonly<Record<string, string>>, name = 'checksum'): Promise<void> {
  const entries = Object.entries(parameters).map(
    ([key, value]) => `parameters { key: ${JSON.stringify(key)} value: ${JSON.stringify(value)} }`,
  );
  const text = `model_repository_agents { agents { name: "${name}" ${entries.join(' ')} } }`;
  return runAgents(parseModelConfig(text, 'config.pbtxt'), `${folder.path}/m`);
}

async function refusal(parameters: Readonly<Record<string, string>>, name?: string): Promise<string> {
  const error = await run(parameters, name).then(
    () => null,
    (error: Error & { code: string }) => error,
  );
  return error === null ? 'none' : `${error.code} ${error.message.replaceAll(folder.path, '')}`;
}

describe('the agent checksum', () => {
  it('lets a model pass whose files are as they should be, however the names are written', async () => {
    const sums = { 'MD5:1/model.onnx': md5('model'), 'md5:labels.txt': md5('labels').toUpperCase() };
    expect(await refusal(sums)).toBe('none');
    expect(await refusal({})).toBe('none');
  });

  it('refuses a file that is another', async () => {
    const sums = { 'MD5:1/model.onnx': md5('model'), 'MD5:labels.txt': md5('other') };
    expect(await refusal(sums)).toBe(
      `INVALID_ARGUMENT Mismatched MD5 hash for file /m/labels.txt, expect: ${md5('other')}, got: ${md5('labels')}`,
    );
  });

  it.each([
    [{ 'SHA1:labels.txt': 'x' }, 'INVALID_ARGUMENT Unsupported checksum algorithm: SHA1'],
    [{ 'labels.txt': 'x' }, 'INVALID_ARGUMENT failed to parse key: labels.txt'],
    [
      { 'MD5:../secret': md5('secret') },
      'INVALID_ARGUMENT failed to parse key: MD5:../secret: the path leaves the model',
    ],
    [
      { 'MD5:1/../../secret': 'x' },
      'INVALID_ARGUMENT failed to parse key: MD5:1/../../secret: the path leaves the model',
    ],
  ])('refuses %j', async (parameters, text) => {
    expect(await refusal(parameters)).toBe(text);
  });

  it.each(['none', '1', '/etc/hostname'])('refuses %s, which is no file of the model', async (path) => {
    const text = await refusal({ [`MD5:${path}`]: md5('') });
    expect(text).toMatch(/^INVALID_ARGUMENT failed to open text file for read \/m\//);
  });
});

describe('agents', () => {
  it('are refused where they are not known', async () => {
    for (const name of ['other', 'constructor']) {
      expect(await refusal({}, name)).toBe(
        `NOT_FOUND there is no repository agent '${name}'; this server has 'checksum'`,
      );
    }
  });

  it('run in the order of the configuration', async () => {
    const text = 'agents { name: "checksum" parameters { key: "MD5:first" value: "x" } } agents { name: "other" }';
    const config = parseModelConfig(`model_repository_agents { ${text} }`, 'config.pbtxt');
    await expect(runAgents(config, folder.path)).rejects.toThrow('/first');
  });

  it('need not be there', async () => {
    await expect(runAgents(parseModelConfig('', 'config.pbtxt'), folder.path)).resolves.toBeUndefined();
  });
});
