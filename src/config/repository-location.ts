import { invalid, ServerError } from '../types/errors.js';

/** Where a model repository is, as `--model-repository` says (fact sheet 10.5). */
export type RepositoryLocation = { readonly kind: 'local'; readonly path: string } | S3Location;

export interface S3Location {
  readonly kind: 's3';
  /** As it was given, without needless slashes: for messages, and for finding credentials. */
  readonly url: string;
  /** `http://host:port`; '' = the environment says, else it is AWS. */
  readonly endpoint: string;
  readonly bucket: string;
  /** What the keys of all models begin with: '' or something that ends with a slash. */
  readonly prefix: string;
}

const refusedSchemes: Readonly<Record<string, string>> = {
  gs: 'Google Cloud Storage is not supported; its S3 interface is: s3://https://storage.googleapis.com/BUCKET/PATH with HMAC keys',
  as: 'Azure Storage is not supported; copy or mount the models, and give that folder',
};

/**
 * Reads a location. No user, password or query is ever repeated in a message.
 * @throws INVALID_ARGUMENT for a URL that cannot be understood, UNSUPPORTED for a store that is not supported
 */
export function parseLocation(text: string): RepositoryLocation {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'local', path: text };
  const refused = refusedSchemes[scheme];
  if (refused !== undefined)
    throw new ServerError('UNSUPPORTED', `--model-repository: ${scheme}:// is refused: ${refused}`);
  if (scheme !== 's3') throw invalid(`--model-repository: expected a folder or s3://BUCKET/PATH, found ${scheme}://`);
  return parseS3(text.slice('s3://'.length));
}

function parseS3(rest: string): S3Location {
  if (/[?#@]/.test(rest)) {
    throw wrongUrl('a user, a query or a fragment; keys belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  }
  const protocol = /^https?:\/\//.exec(rest)?.[0] ?? '';
  const [first = '', ...rests] = rest.slice(protocol.length).split('/');
  const others = rests.filter((segment) => segment !== '');
  const hasHost = protocol !== '' || first.includes(':');
  const [bucket = '', ...path] = hasHost ? others : [first, ...others];
  const endpoint = hasHost ? checkEndpoint(`${protocol || 'http://'}${first}`) : '';
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucket)) throw wrongUrl(`${JSON.stringify(bucket)} for the bucket`);
  if (path.some((segment) => segment === '.' || segment === '..')) throw wrongUrl('. or .. in the path');
  const prefix = path.map((segment) => `${segment}/`).join('');
  const url = `s3://${[...(hasHost ? [protocol + first] : []), bucket, ...path].join('/')}`;
  return { kind: 's3', url, endpoint, bucket, prefix };
}

function checkEndpoint(text: string): string {
  if (!URL.canParse(text)) throw wrongUrl(`${JSON.stringify(text)} for the host`);
  return new URL(text).origin;
}

function wrongUrl(found: string): ServerError {
  const forms = 's3://BUCKET/PATH, s3://HOST:PORT/BUCKET/PATH or s3://https://HOST:PORT/BUCKET/PATH';
  return invalid(`--model-repository: expected ${forms}, found ${found}`);
}
