import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is said to a path; a path that has none is answered with 404. */
export type Script = Readonly<Record<string, { readonly status?: number; readonly body: string }>>;

/** A plain HTTP server that says what a test has written down, so that forms of other servers can be tried. */
export class ScriptedServer {
  script: Script;
  /** `METHOD path`, in order. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  private constructor(script: Script) {
    this.script = script;
    this.#server = createServer((request, response) => {
      const { status = 200, body } = this.script[request.url!] ?? { status: 404, body: '' };
      response.writeHead(status).end(body);
      this.asked.push(`${request.method} ${request.url}`);
      for (const { count, resolve } of this.#waiting) if (this.asked.length >= count) resolve();
    });
  }

  static async start(script: Script): Promise<ScriptedServer> {
    const server = new ScriptedServer(script);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves when so many questions have come. */
  wasAsked(count: number): Promise<void> {
    if (this.asked.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const json = (value: unknown, status = 200) => ({ status, body: JSON.stringify(value) });
