import { ServerError } from '../../types/errors.js';

/** The object is not any more what the listing said: gone, or another one. Look again. */
export class ObjectChanged extends Error {}

/** What messages about a store say. */
export interface StoreNames {
  readonly url: string;
  readonly bucket: string;
  /** The host that is asked. */
  readonly endpoint: string;
  /** Where its credentials come from. */
  readonly credentials: string;
}

/** What is read of anything that the SDK throws. */
interface SdkError {
  readonly name: string;
  readonly message: string;
  /** Of the network and of TLS. */
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

type Found = readonly [code: ConstructorParameters<typeof ServerError>[0], found: string, mend: string];

const wrongRegion = 'name the region of the bucket in AWS_REGION';

/** By the names of S3's error codes and of the SDK's own errors. */
function byName(name: string, { bucket, credentials }: StoreNames): Found | null {
  switch (name) {
    case 'CredentialsProviderError':
      return [
        'INVALID_ARGUMENT',
        `no credentials in ${credentials}`,
        'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or TRITON_CLOUD_CREDENTIAL_PATH',
      ];
    case 'InvalidAccessKeyId':
    case 'InvalidToken':
      return ['INVALID_ARGUMENT', `the store does not know the key of ${credentials}`, 'correct the access key id'];
    case 'SignatureDoesNotMatch':
      return ['INVALID_ARGUMENT', `the secret key of ${credentials} is wrong`, 'correct the secret key'];
    case 'ExpiredToken':
    case 'ExpiredTokenException':
      return ['INVALID_ARGUMENT', `the session token of ${credentials} has expired`, 'get a new one'];
    case 'RequestTimeTooSkewed':
      return ['INVALID_ARGUMENT', 'the clocks of this machine and of the store differ too much', 'correct the clock'];
    case 'AccessDenied':
      return [
        'INVALID_ARGUMENT',
        `the credentials of ${credentials} may not do this`,
        `allow s3:ListBucket and s3:GetObject on the bucket '${bucket}'`,
      ];
    case 'NoSuchBucket':
      return ['NOT_FOUND', `no bucket '${bucket}'`, 'correct its name, or create it'];
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
      return ['INVALID_ARGUMENT', `the bucket '${bucket}' is in another region`, wrongRegion];
    default:
      return null;
  }
}

function byNetwork({ code = '', name, message }: SdkError, { endpoint }: StoreNames): Found | null {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return ['UNAVAILABLE', `the name of ${endpoint} is not known (${code})`, 'correct the host, or see to its DNS'];
  }
  if (/CERT|TLS|SSL|ALTNAME/.test(code)) {
    const mend = 'name the file of its authority in NODE_EXTRA_CA_CERTS';
    return ['UNAVAILABLE', `the certificate of ${endpoint} is not trusted (${code})`, mend];
  }
  if (code !== '' || name === 'TimeoutError' || /socket hang up|aborted/.test(message)) {
    const found = code === '' ? 'it does not answer' : code;
    return [
      'UNAVAILABLE',
      `${endpoint} cannot be reached (${found})`,
      'see that it runs, and that this machine reaches it',
    ];
  }
  return null;
}

function byStatus({ $metadata, name, message }: SdkError, { endpoint }: StoreNames): Found {
  const status = $metadata?.httpStatusCode ?? 0;
  if (status >= 500 || name === 'SlowDown') {
    return ['UNAVAILABLE', `${endpoint} answered ${status} ${name}`, 'it is its own trouble, and is tried again'];
  }
  if (/deserializ|XML/i.test(message)) {
    return ['INVALID_ARGUMENT', `${endpoint} does not speak S3 (status ${status})`, 'correct the host and port'];
  }
  const text = message.split('\n')[0];
  return ['INTERNAL', `${endpoint} answered ${status || ''} ${name}: ${text}`, 'see what the store logs'];
}

/**
 * What the SDK threw, in our words: URL, what was expected, what was found, how to mend it; never a secret.
 * @param expected `to list the models`
 */
export function storeError(thrown: unknown, names: StoreNames, expected: string): ServerError {
  if (thrown instanceof ServerError) return thrown;
  const error = thrown as SdkError;
  const [code, found, mend] = byName(error.name, names) ?? byNetwork(error, names) ?? byStatus(error, names);
  return new ServerError(code, `${names.url}: expected ${expected}, found ${found}; ${mend}`);
}

/** Whether a GET met something else than what the listing said. */
export function isChanged(thrown: unknown): boolean {
  const { name, $metadata } = thrown as SdkError;
  return name === 'NoSuchKey' || name === 'NotFound' || [404, 412, 416].includes($metadata?.httpStatusCode ?? 0);
}

/** Whether the same request may succeed a little later. */
export function isPassing(error: ServerError): boolean {
  return error.code === 'UNAVAILABLE';
}
