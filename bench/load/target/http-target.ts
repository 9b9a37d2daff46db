import { type Facts, factsOf, type ListedVersion, type ModelName, readIndex } from './facts.js';
import { type Headers, HttpClient, type HttpReply } from './http-client.js';
import { quoted } from './not-ready.js';
import type { TargetUrl } from './url.js';
import { type V2Calls, V2Target } from './v2-target.js';

/** What a server says that does not know a path, or has the extension switched off. */
const NO_SUCH_EXTENSION: readonly number[] = [404, 405, 501];
/** What others than Triton say of a model that they do not know; it says 400, as of one that is not ready. */
const NO_SUCH_MODEL = 404;
const TIMEOUT_MS = 30_000;
/** Of a body that is no answer of the protocol: so much is shown. */
const SHOWN_CHARACTERS = 200;

/** A server as it speaks over HTTP; what runs over WebSocket asks it here too. */
export class HttpTarget extends V2Target {
  protected readonly url: string;
  protected readonly calls: V2Calls;
  readonly #client: HttpClient;

  constructor(url: TargetUrl, headers: Headers) {
    super();
    this.url = url.text;
    this.#client = new HttpClient(url, headers, TIMEOUT_MS);
    this.calls = {
      serverMetadata: () => this.#get('/v2', "the server's metadata"),
      modelMetadata: (model) => this.#get(pathOf(model), `the metadata of ${quoted(model)}`),
      modelConfig: (model) => this.#getIfKnown(`${pathOf(model)}/config`, `the configuration of ${quoted(model)}`),
      statistics: (model) => this.#getIfKnown(`${pathOf(model)}/stats`, `the statistics of ${quoted(model)}`),
      isReady: async (model) => {
        const { status } = await this.#client.ask('GET', `${pathOf(model)}/ready`, `whether ${quoted(model)} is ready`);
        return status === NO_SUCH_MODEL ? null : status === 200;
      },
      repositoryIndex: () => this.#index(),
    };
  }

  async registerRegion(name: string, key: string, bytes: number): Promise<void> {
    const path = `/v2/systemsharedmemory/region/${encodeURIComponent(name)}/register`;
    await this.#post(path, `a place for the shared memory region '${name}'`, { key, offset: 0, byte_size: bytes });
  }

  async unregisterRegion(name: string): Promise<void> {
    const path = `/v2/systemsharedmemory/region/${encodeURIComponent(name)}/unregister`;
    await this.#post(path, `the end of the shared memory region '${name}'`, {});
  }

  async setTrace(model: string, settings: Readonly<Record<string, string | readonly string[]>>): Promise<void> {
    const path = model === '' ? '/v2/trace/setting' : `/v2/models/${encodeURIComponent(model)}/trace/setting`;
    await this.#post(path, model === '' ? 'trace settings' : `trace settings of model '${model}'`, settings);
  }

  close(): void {
    this.#client.close();
  }

  /** A server may also keep it to itself. */
  async #index(): Promise<ListedVersion[] | null> {
    const { status, body } = await this.#client.ask('POST', '/v2/repository/index', 'its models', '{}');
    const entries = parsed(body);
    return status === 200 && Array.isArray(entries) ? readIndex(entries) : null;
  }

  async #get(path: string, asked: string): Promise<Facts> {
    const reply = await this.#client.ask('GET', path, asked);
    return this.#read(reply, path, asked);
  }

  async #getIfKnown(path: string, asked: string): Promise<Facts | null> {
    const reply = await this.#client.ask('GET', path, asked);
    return NO_SUCH_EXTENSION.includes(reply.status) ? null : this.#read(reply, path, asked);
  }

  async #post(path: string, asked: string, body: object): Promise<void> {
    const reply = await this.#client.ask('POST', path, asked, JSON.stringify(body));
    if (reply.status !== 200) throw this.#refused(reply, path, asked);
  }

  #read(reply: HttpReply, path: string, asked: string): Facts {
    const facts = jsonOf(reply.body);
    if (reply.status !== 200 || facts === null) throw this.#refused(reply, path, asked);
    return facts;
  }

  #refused({ status, body }: HttpReply, path: string, asked: string): Error {
    const told = factsOf(jsonOf(body)).error;
    const came = typeof told === 'string' ? told : body.trim().slice(0, SHOWN_CHARACTERS) || 'an empty body';
    const hint = status === 200 ? '. Is a server of the V2 protocol there? -u HOST:PORT says where it is' : '';
    return new Error(`asked ${this.url}${path} for ${asked}, got HTTP ${status}: ${came}${hint}`);
  }
}

function pathOf({ name, version }: ModelName): string {
  const path = `/v2/models/${encodeURIComponent(name)}`;
  return version === '' ? path : `${path}/versions/${encodeURIComponent(version)}`;
}

/** null = it is no JSON object. */
function jsonOf(body: string): Facts | null {
  const value = parsed(body);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Facts) : null;
}

/** null = it is no JSON. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
