import { describe, expect, it } from 'vitest';
import { parseLocation } from '../../src/config/repository-location.js';

describe('a location of models', () => {
  it.each(['models', '/abs/models', './s3:/x', 'C:\\models', 'a@b?c'])('%s is a folder', (path) => {
    expect(parseLocation(path)).toEqual({ kind: 'local', path });
  });

  it.each([
    ['s3://bucket', '', 'bucket', ''],
    ['s3://bucket/', '', 'bucket', ''],
    ['S3://my.bucket-1/a/b', '', 'my.bucket-1', 'a/b/'],
    ['s3://bucket//a///b//', '', 'bucket', 'a/b/'],
    ['s3://minio:9000/bucket/a', 'http://minio:9000', 'bucket', 'a/'],
    ['s3://http://minio:9000/bucket', 'http://minio:9000', 'bucket', ''],
    ['s3://https://store.example/bucket/a', 'https://store.example', 'bucket', 'a/'],
    ['s3://[::1]:9000/bucket', 'http://[::1]:9000', 'bucket', ''],
    ['s3://bucket/ü und x', '', 'bucket', 'ü und x/'],
  ])('%s is in S3', (text, endpoint, bucket, prefix) => {
    expect(parseLocation(text)).toMatchObject({ kind: 's3', endpoint, bucket, prefix });
  });

  it('has one URL, however it is written', () => {
    const urls = ['s3://h:1/bu/p', 's3://h:1//bu/p/', 's3://h:1/bu//p//'].map((text) => parseLocation(text));
    expect(urls).toEqual([urls[0], urls[0], urls[0]]);
    expect(urls[0]).toMatchObject({ url: 's3://h:1/bu/p' });
  });

  it.each([
    ['s3://', '"" for the bucket'],
    ['s3:///bucket', '"" for the bucket'],
    ['s3://h:1', '"" for the bucket'],
    ['s3://b cket/x', 'for the bucket'],
    ['s3://bucket/../x', '. or .. in the path'],
    ['s3://h:port/bucket', '"http://h:port" for the host'],
  ])('%s is refused', (text, found) => {
    expect(() => parseLocation(text)).toThrow(found);
  });

  it('with a password is refused without repeating it', () => {
    const text = 's3://https://me:hidden@host/bucket';
    expect(() => parseLocation(text)).toThrow('AWS_SECRET_ACCESS_KEY');
    expect(() => parseLocation(text)).not.toThrow('hidden');
  });

  it.each([
    ['gs://bucket/x', 'UNSUPPORTED', 'gs:// is refused: Google Cloud Storage'],
    ['as://account/container', 'UNSUPPORTED', 'as:// is refused: Azure Storage'],
    ['https://host/x', 'INVALID_ARGUMENT', 'found https://'],
  ])('%s is refused by name', (text, code, message) => {
    expect(() => parseLocation(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
