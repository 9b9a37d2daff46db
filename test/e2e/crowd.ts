import { type RawAnswer, RawClient } from '../protocols/http/raw-client.js';
import { ask, bytesOf, get, type HttpRequest } from './requests.js';
import type { ServerProcess } from './server.js';

/** Asks all at the same time, each on a connection of its own that is open before the first is asked. Answers in the order of `requests`. */
export class Crowd {
  readonly clients: readonly RawClient[];
  readonly answers: Promise<RawAnswer[]>;
  /** Places in `requests`, in the order in which their answers came. */
  readonly arrivals: number[] = [];

  private constructor(clients: readonly RawClient[], requests: readonly HttpRequest[]) {
    this.clients = clients;
    this.answers = Promise.all(
      requests.map(async (request, index) => {
        const answer = await clients[index]!.ask(bytesOf(request));
        if (answer === null) throw new Error(`request ${index}: closed without an answer`);
        this.arrivals.push(index);
        clients[index]!.destroy();
        return answer;
      }),
    );
    // Whoever sends clients away looks at the answers later, or not at all.
    this.answers.catch(() => {});
  }

  /** Resolves when the server has all requests. */
  static async ask(server: ServerProcess, requests: readonly HttpRequest[]): Promise<Crowd> {
    const clients = await Promise.all(requests.map(() => RawClient.open(server.httpPort)));
    const crowd = new Crowd(clients, requests);
    // Connections are read in the order in which something came: these requests before that of the last one.
    await ask(server.httpPort, get('/v2/health/live'));
    return crowd;
  }
}
