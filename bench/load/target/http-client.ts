import { Agent, type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { reasonOf } from '../wires/reasons.js';
import type { TlsSettings } from '../wires/wire.js';
import type { TargetUrl } from './url.js';
import { URL_FLAG, unreachable } from './v2-target.js';

export interface HttpReply {
  readonly status: number;
  readonly body: string;
}

export type Headers = readonly (readonly [string, string])[];

/** Questions over HTTP/1.1 that are rare: not the requests of a load. */
export class HttpClient {
  readonly #url: TargetUrl;
  readonly #headers: Headers;
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  readonly #flag: string;

  /**
   * @param timeoutMs so long the server may say nothing
   * @param flag where the user says what the URL is
   */
  constructor(url: TargetUrl, headers: Headers, timeoutMs: number, flag = URL_FLAG) {
    this.#url = url;
    this.#headers = headers;
    this.#timeoutMs = timeoutMs;
    this.#flag = flag;
    // Questions are far apart: a connection that waits may be closed by the server just when it is used.
    this.#agent = url.tls === null ? new Agent() : new SecureAgent(tlsOptions(url.tls));
  }

  /**
   * Resolves with whatever the server answers; rejects with an error that names the URL where it does not.
   * @param asked what it is about, for that error
   * @param body '' = none
   */
  ask(method: 'GET' | 'POST', path: string, asked: string, body = ''): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(unreachable(this.#url.text, asked, reasonOf(error), this.#flag));
      const request = this.#request(method, path, body);
      request.on('error', fail);
      request.on('timeout', () => request.destroy(new Error(`no answer within ${this.#timeoutMs / 1000} s`)));
      request.on('response', (response) => readReply(response).then(resolve, fail));
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #request(method: string, path: string, body: string): ClientRequest {
    const { host, port, tls } = this.#url;
    const headers = { ...Object.fromEntries(this.#headers), 'content-length': Buffer.byteLength(body) };
    const options = { host, port, method, path, headers, agent: this.#agent, timeout: this.#timeoutMs };
    return tls === null ? plainRequest(options) : secureRequest(options);
  }
}

async function readReply(response: IncomingMessage): Promise<HttpReply> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode!, body: Buffer.concat(chunks).toString() };
}

function tlsOptions({ ca, certificate, key, verifiesPeer, verifiesHost }: TlsSettings) {
  return {
    ...(ca === '' ? {} : { ca }),
    ...(certificate === '' ? {} : { cert: certificate }),
    ...(key === '' ? {} : { key }),
    rejectUnauthorized: verifiesPeer,
    ...(verifiesHost ? {} : { checkServerIdentity: () => undefined }),
  };
}
