import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseLocation, type S3Location } from '../../../src/config/repository-location.js';
import { findAccess } from '../../../src/repository/remote/credentials.js';

const location = parseLocation('s3://bucket/live/models') as S3Location;
const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };

describe('credentials of the environment', () => {
  it('are keys, token and region', async () => {
    const env = { ...keys, AWS_SESSION_TOKEN: 'token', AWS_DEFAULT_REGION: 'eu-west-1' };
    expect(await findAccess(location, env)).toEqual({
      keyId: 'id',
      secretKey: 'secret',
      sessionToken: 'token',
      region: 'eu-west-1',
      profile: '',
      source: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    });
  });

  it('come before the profile, and AWS_REGION before AWS_DEFAULT_REGION', async () => {
    const env = { AWS_PROFILE: 'work', AWS_REGION: 'a', AWS_DEFAULT_REGION: 'b' };
    expect(await findAccess(location, { ...env, ...keys })).toMatchObject({ keyId: 'id', profile: '', region: 'a' });
    expect(await findAccess(location, env)).toMatchObject({
      keyId: '',
      profile: 'work',
      source: "the AWS profile 'work'",
    });
  });

  it('may be missing: the SDK looks further', async () => {
    expect(await findAccess(location, { AWS_ACCESS_KEY_ID: 'half' })).toMatchObject({ keyId: '', secretKey: '' });
  });
});

describe('credentials of a file', () => {
  let folder = '';
  let file = '';

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conch-keys-'));
    file = join(folder, 'keys.json');
  });

  afterEach(() => rm(folder, { recursive: true }));

  const find = async (text: string, env = {}) => {
    await writeFile(file, text);
    return findAccess(location, { TRITON_CLOUD_CREDENTIAL_PATH: file, ...keys, ...env });
  };

  it('are those with the longest beginning of the URL', async () => {
    const s3 = {
      '': { key_id: 'all', secret_key: 's' },
      's3://bucket': { key_id: 'bucket', secret_key: 's', region: 'r', session_token: 't' },
      's3://bucket/live/models/m': { key_id: 'longer', secret_key: 's' },
      's3://other': { key_id: 'other', secret_key: 's' },
    };
    const access = await find(JSON.stringify({ s3 }));
    expect(access).toMatchObject({ keyId: 'bucket', secretKey: 's', sessionToken: 't', region: 'r' });
    expect(access.source).toBe(`the file ${file}`);
  });

  it('are those of the environment where no entry is for the URL', async () => {
    expect(await find('{"s3":{"s3://other":{"key_id":"x"}}}')).toMatchObject({ keyId: 'id' });
    expect(await find('{"gs":{"":"path"}}')).toMatchObject({ keyId: 'id' });
  });

  it.each(['{"s3":{"":{"secret_key":"hidden"', '{"s3":{"":{"secret_key":7,"key_id":"hidden"}}}', '[]x', 'null'])(
    'are refused without showing them where the file is %s',
    async (text) => {
      const error = await find(text).catch((thrown: Error) => thrown as Error);
      expect((error as Error).message).toContain(`expected JSON of the form`);
      expect((error as Error).message).not.toContain('hidden');
    },
  );

  it('are missed where there is no file', async () => {
    const found = findAccess(location, { TRITON_CLOUD_CREDENTIAL_PATH: join(folder, 'no') });
    await expect(found).rejects.toThrow('ENOENT');
  });
});
