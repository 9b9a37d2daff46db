import {
  type ChannelCredentials,
  Client,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { protoRoot } from '../../../src/protocols/grpc/proto.js';
import { grpcReason } from '../wires/reasons.js';
import type { TlsSettings } from '../wires/wire.js';
import { type Facts, factsOf, type ListedVersion, type ModelName, readIndex } from './facts.js';
import type { Headers } from './http-client.js';
import { quoted } from './not-ready.js';
import { authority, type TargetUrl } from './url.js';
import { unreachable, type V2Calls, V2Target } from './v2-target.js';

const PACKAGE = 'inference';
const SERVICE = 'GRPCInferenceService';
const TIMEOUT_MS = 30_000;
const OPTIONS = {
  'grpc.max_receive_message_length': -1,
  // The load goes straight to the server, and so does this.
  'grpc.enable_http_proxy': 0,
};

/** A server as it speaks over gRPC. */
export class GrpcTarget extends V2Target {
  protected readonly url: string;
  protected readonly calls: V2Calls;
  readonly #client: Client;
  readonly #headers: Metadata;

  constructor(url: TargetUrl, headers: Headers) {
    super();
    this.url = url.text;
    this.#client = new Client(authority(url.host, url.port), credentialsOf(url.tls), OPTIONS);
    this.#headers = metadataOf(headers);
    this.calls = {
      serverMetadata: () => this.#ask('ServerMetadata', {}, "the server's metadata"),
      modelMetadata: (model) => this.#ask('ModelMetadata', requestOf(model), `the metadata of ${quoted(model)}`),
      modelConfig: async (model) => {
        const asked = `the configuration of ${quoted(model)}`;
        const reply = await this.#askIfKnown('ModelConfig', requestOf(model), asked);
        return reply === null ? null : factsOf(reply.config);
      },
      statistics: (model) =>
        this.#askIfKnown('ModelStatistics', requestOf(model), `the statistics of ${quoted(model)}`),
      isReady: (model) => this.#isReady(model),
      repositoryIndex: () => this.#index(),
    };
  }

  async registerRegion(name: string, key: string, bytes: number): Promise<void> {
    const request = { name, key, offset: 0, byte_size: bytes };
    await this.#ask('SystemSharedMemoryRegister', request, `a place for the shared memory region '${name}'`);
  }

  async unregisterRegion(name: string): Promise<void> {
    await this.#ask('SystemSharedMemoryUnregister', { name }, `the end of the shared memory region '${name}'`);
  }

  async setTrace(model: string, settings: Readonly<Record<string, string | readonly string[]>>): Promise<void> {
    const values = Object.entries(settings).map(([name, value]) => [name, { value: [value].flat() }]);
    const request = { model_name: model, settings: Object.fromEntries(values) };
    await this.#ask('TraceSetting', request, model === '' ? 'trace settings' : `trace settings of model '${model}'`);
  }

  close(): void {
    this.#client.close();
  }

  /** A server may also keep it to itself. */
  async #index(): Promise<ListedVersion[] | null> {
    const reply = await this.#call('RepositoryIndex', {});
    return isError(reply) ? null : readIndex(reply.models);
  }

  async #isReady(model: ModelName): Promise<boolean | null> {
    const asked = `whether ${quoted(model)} is ready`;
    const reply = await this.#call('ModelReady', requestOf(model));
    if (isError(reply)) {
      if (reply.code === status.UNAVAILABLE || reply.code === status.DEADLINE_EXCEEDED)
        throw this.#failed(reply, asked);
      return reply.code === status.NOT_FOUND ? null : false;
    }
    return reply.ready === true;
  }

  async #ask(method: string, request: object, asked: string): Promise<Facts> {
    const reply = await this.#call(method, request);
    if (isError(reply)) throw this.#failed(reply, `${asked} (${method})`);
    return reply;
  }

  async #askIfKnown(method: string, request: object, asked: string): Promise<Facts | null> {
    const reply = await this.#call(method, request);
    if (!isError(reply)) return reply;
    if (reply.code === status.UNIMPLEMENTED) return null;
    throw this.#failed(reply, `${asked} (${method})`);
  }

  #call(method: string, request: object): Promise<Facts | ServiceError> {
    const asked = protoRoot().lookupType(`${PACKAGE}.${method}Request`);
    const answered = protoRoot().lookupType(`${PACKAGE}.${method}Response`);
    const encode = (message: object) => Buffer.from(asked.encode(asked.fromObject(message)).finish());
    const decode = (bytes: Buffer): Facts =>
      answered.toObject(answered.decode(bytes), { longs: String, enums: String, defaults: true });
    return new Promise((resolve) => {
      const deadline = Date.now() + TIMEOUT_MS;
      const path = `/${PACKAGE}.${SERVICE}/${method}`;
      this.#client.makeUnaryRequest(path, encode, decode, request, this.#headers, { deadline }, (error, reply) =>
        resolve(error ?? reply!),
      );
    });
  }

  #failed(error: ServiceError, asked: string): Error {
    const { code, details } = error;
    if (this.#isUnreached(error)) return unreachable(this.url, asked, grpcReason(details));
    return new Error(`asked ${this.url} for ${asked}, got gRPC ${status[code]}: ${details}`);
  }

  /** Servers say UNAVAILABLE too, but over a connection. */
  #isUnreached({ code }: ServiceError): boolean {
    if (code === status.DEADLINE_EXCEEDED) return true;
    return (
      code === status.UNAVAILABLE && this.#client.getChannel().getConnectivityState(false) !== connectivityState.READY
    );
  }
}

function requestOf({ name, version }: ModelName): object {
  return { name, version };
}

function isError(reply: Facts | ServiceError): reply is ServiceError {
  return reply instanceof Error;
}

/** Values of binary metadata, whose names end in `-bin`, are Base64, as they are sent. */
function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of headers) {
    metadata.add(name, name.toLowerCase().endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  }
  return metadata;
}

function credentialsOf(tls: TlsSettings | null): ChannelCredentials {
  if (tls === null) return credentials.createInsecure();
  const pem = (text: string) => (text === '' ? null : Buffer.from(text));
  return credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.certificate), {
    rejectUnauthorized: tls.verifiesPeer,
    ...(tls.verifiesHost ? {} : { checkServerIdentity: () => undefined }),
  });
}
