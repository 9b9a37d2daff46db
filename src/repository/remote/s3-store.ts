import type { ListObjectsV2CommandOutput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Location } from '../../config/repository-location.js';
import type { ServerError } from '../../types/errors.js';
import { type Environment, findAccess, type S3Access } from './credentials.js';
import type { ListedObject } from './model-state.js';
import { isChanged, ObjectChanged, type StoreNames, storeError } from './store-error.js';

type Sdk = typeof import('@aws-sdk/client-s3');

/** How long a store may take, in milliseconds. */
export interface StoreLimits {
  readonly connectMs: number;
  /** Without a byte, while an answer is waited for or comes in. */
  readonly idleMs: number;
  /** Before the first repetition; doubled with each. */
  readonly retryMs: number;
}

export const storeLimits: StoreLimits = { connectMs: 5000, idleMs: 30_000, retryMs: 200 };

const ATTEMPTS_MAX = 4;
const CONNECTIONS_MAX = 64;
/** Where neither environment nor profile has one: what other stores than AWS expect, and AWS corrects. */
const DEFAULT_REGION = 'us-east-1';

/** What is below the prefix of a repository. */
export interface StoreListing {
  /**
   * By the name in front of the first slash; not those with a dot in front, which are somebody's bookkeeping. Null = too much for one
   * answer, to be listed with `listModel`.
   */
  readonly models: ReadonlyMap<string, readonly ListedObject[] | null>;
  /** There is no object at all, not even one for the folder itself. */
  readonly isEmpty: boolean;
}

export interface ObjectContent {
  /** Whether it begins where it was asked to; else at the first byte. */
  readonly isRest: boolean;
  /** The store keeps it encrypted with a key of its own: then the ETag is no MD5. */
  readonly isEncrypted: boolean;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** The bucket of one repository, through the SDK. Everything rejects with a ServerError, or ObjectChanged where it says so. */
export class S3Store {
  readonly names: StoreNames;
  readonly #location: S3Location;
  readonly #sdk: Sdk;
  readonly #client: S3Client;

  private constructor(location: S3Location, sdk: Sdk, client: S3Client, names: StoreNames) {
    this.#location = location;
    this.#sdk = sdk;
    this.#client = client;
    this.names = names;
  }

  /** Asks nothing of the store yet. The SDK is loaded here, because most servers have no use for it. */
  static async open(location: S3Location, env: Environment, limits: StoreLimits): Promise<S3Store> {
    const access = await findAccess(location, env);
    // It warns on standard error of versions to come; ours is fixed in package.json.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
    const sdk = await import('@aws-sdk/client-s3');
    const settings = clientSettings(location, access, env, limits);
    const client = await withRegion(new sdk.S3Client(settings), () => {
      return new sdk.S3Client({ ...settings, region: DEFAULT_REGION });
    });
    const endpoint = location.endpoint || environmentEndpoint(env) || 'the endpoint of AWS';
    const { url, bucket } = location;
    return new S3Store(location, sdk, client, { url, bucket, endpoint, credentials: access.source });
  }

  /** One answer has everything, unless the repository is large: then models are to be listed at the same time. */
  async list(signal: AbortSignal): Promise<StoreListing> {
    const { prefix } = this.#location;
    const expected = 'to list the models';
    const models = new Map<string, ListedObject[] | null>();
    for await (const { objects, isLast } of this.#pages(prefix, undefined, expected, signal)) {
      if (!isLast) break;
      for (const object of objects) add(models, object, prefix);
      return { models, isEmpty: objects.length === 0 };
    }
    for await (const { folders } of this.#pages(prefix, '/', expected, signal)) {
      for (const folder of folders) models.set(folder.slice(prefix.length, -1), null);
    }
    for (const name of models.keys()) if (isBookkeeping(name)) models.delete(name);
    return { models, isEmpty: false };
  }

  /** All objects of a model, in no order. */
  async listModel(model: string, signal: AbortSignal): Promise<ListedObject[]> {
    const found: ListedObject[] = [];
    const expected = `to list the objects of model '${model}'`;
    for await (const { objects } of this.#pages(this.prefixOf(model), undefined, expected, signal))
      found.push(...objects);
    return found;
  }

  /** What the keys of a model begin with. */
  prefixOf(model: string): string {
    return `${this.#location.prefix}${model}/`;
  }

  /**
   * The content of an object, from a byte on. What goes wrong while it comes in is thrown by `chunks`, as the SDK has it.
   * @throws ObjectChanged where the store has not this object any more
   */
  async read({ key, etag }: ListedObject, from: number, signal: AbortSignal): Promise<ObjectContent> {
    const range = from === 0 ? {} : { Range: `bytes=${from}-` };
    const command = new this.#sdk.GetObjectCommand({
      Bucket: this.#location.bucket,
      Key: key,
      IfMatch: `"${etag}"`,
      ...range,
    });
    try {
      const output = await this.#client.send(command, { abortSignal: signal });
      return {
        isRest: output.ContentRange?.startsWith(`bytes ${from}-`) ?? from === 0,
        isEncrypted:
          (output.ServerSideEncryption ?? 'AES256') !== 'AES256' || output.SSECustomerAlgorithm !== undefined,
        chunks: output.Body as unknown as AsyncIterable<Uint8Array>,
      };
    } catch (error) {
      if (isChanged(error)) throw new ObjectChanged(`the object ${JSON.stringify(key)} is gone, or another one`);
      throw this.error(error, `to read ${JSON.stringify(key)}`);
    }
  }

  /** Of an object that stands for the folder of all models; '' = that is the bucket itself. */
  get folderKey(): string {
    return this.#location.prefix;
  }

  /** Whether ETags are MD5s where they look like one: not in directory buckets (S3 Express One Zone). */
  get hasMd5(): boolean {
    return !this.#location.bucket.endsWith('--x-s3');
  }

  /** What came out of a stream, or was thrown by the SDK. */
  error(thrown: unknown, expected: string): ServerError {
    return storeError(thrown, this.names, expected);
  }

  close(): void {
    this.#client.destroy();
  }

  async *#pages(
    prefix: string,
    delimiter: string | undefined,
    expected: string,
    signal: AbortSignal,
  ): AsyncGenerator<ListingPage> {
    // Keys with characters that XML does not have arrive encoded.
    const query = { Bucket: this.#location.bucket, Prefix: prefix, Delimiter: delimiter, EncodingType: 'url' as const };
    let next: string | undefined;
    do {
      const command = new this.#sdk.ListObjectsV2Command({
        ...query,
        ContinuationToken: next,
      });
      const output = await this.#client.send(command, { abortSignal: signal }).catch((error) => {
        throw this.error(error, expected);
      });
      next = output.IsTruncated ? output.NextContinuationToken : undefined;
      yield readPage(output, next === undefined);
    } while (next !== undefined);
  }
}

/** One answer to a listing. */
interface ListingPage {
  readonly objects: readonly ListedObject[];
  /** With the slash at the end. */
  readonly folders: readonly string[];
  readonly isLast: boolean;
}

function readPage(
  { EncodingType, Contents, CommonPrefixes }: ListObjectsV2CommandOutput,
  isLast: boolean,
): ListingPage {
  // Stores that do not know the encoding do not say that they used it.
  const decode = (key: string) => (EncodingType === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key);
  const objects = (Contents ?? []).map(({ Key = '', ETag = '', Size = 0 }) => {
    return { key: decode(Key), etag: ETag.replaceAll('"', ''), bytes: Size };
  });
  return { objects, folders: (CommonPrefixes ?? []).map(({ Prefix = '' }) => decode(Prefix)), isLast };
}

/** Files beside the models are none of them. */
function add(models: Map<string, ListedObject[] | null>, object: ListedObject, prefix: string): void {
  const path = object.key.slice(prefix.length);
  const name = path.slice(0, Math.max(0, path.indexOf('/')));
  if (!path.includes('/') || isBookkeeping(name)) return;
  const known = models.get(name);
  if (known) known.push(object);
  else models.set(name, [object]);
}

function isBookkeeping(name: string): boolean {
  return name.startsWith('.') && name !== '.' && name !== '..';
}

function clientSettings(
  { endpoint }: S3Location,
  { keyId, secretKey, sessionToken, region, profile }: S3Access,
  env: Environment,
  { connectMs, idleMs }: StoreLimits,
): S3ClientConfig {
  const token = sessionToken === '' ? {} : { sessionToken };
  const credentials = { accessKeyId: keyId, secretAccessKey: secretKey, ...token };
  return {
    ...(endpoint === '' ? {} : { endpoint }),
    ...(region === '' ? {} : { region }),
    ...(profile === '' ? {} : { profile }),
    ...(keyId === '' ? {} : { credentials }),
    // Names of buckets are not subdomains of MinIO and its like.
    forcePathStyle: endpoint !== '' || environmentEndpoint(env) !== '',
    followRegionRedirects: true,
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: idleMs,
      httpAgent: { keepAlive: true, maxSockets: CONNECTIONS_MAX },
      httpsAgent: { keepAlive: true, maxSockets: CONNECTIONS_MAX },
    },
  };
}

function environmentEndpoint(env: Environment): string {
  return env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || '';
}

/** The profile files may have a region, and the SDK reads them. */
async function withRegion(client: S3Client, otherwise: () => S3Client): Promise<S3Client> {
  try {
    await client.config.region();
    return client;
  } catch {
    client.destroy();
    return otherwise();
  }
}
