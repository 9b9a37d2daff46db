import { quartiles } from '../core/rounds.js';
import { residentBytes } from '../server/proc.js';
import type { ServerProcess } from '../server/server-process.js';

/** What the server says of its sequences and its memory. */
export interface Observation {
  /** By place: `slot`, `backlog`. */
  readonly live: ReadonlyMap<string, number>;
  readonly started: number;
  /** By reason. */
  readonly ended: ReadonlyMap<string, number>;
  readonly pending: number;
  readonly tensorMemoryBytes: number;
}

/** The server of a soak, as its operators see it, and its resident memory over the time. */
export class ObservedServer {
  readonly #server: ServerProcess;
  readonly #residents: number[] = [];
  mostInSlots = 0;
  mostInBacklog = 0;

  constructor(server: ServerProcess) {
    this.#server = server;
  }

  async observe(): Promise<Observation> {
    const page = await (await fetch(`http://127.0.0.1:${this.#server.metricsPort}/metrics`)).text();
    const sum = (family: string) =>
      [...byLabel(page, family, 'model').values()].reduce((total, value) => total + value, 0);
    return {
      live: byLabel(page, 'conch_sequences_live', 'place'),
      started: sum('conch_sequences_started_total'),
      ended: byLabel(page, 'conch_sequences_ended_total', 'reason'),
      pending: sum('nv_inference_pending_request_count'),
      tensorMemoryBytes: Number(/^conch_tensor_memory_used_bytes (\S+)$/m.exec(page)?.[1]),
    };
  }

  /** The ids of the live view. */
  async liveIds(): Promise<number[]> {
    const response = await fetch(`http://127.0.0.1:${this.#server.httpPort}/v2/models/soak/sequences`);
    const view = (await response.json()) as { live: { sequence_id: number; state: string }[] };
    const waiting = view.live.filter(({ state }) => state === 'backlog').length;
    this.mostInBacklog = Math.max(this.mostInBacklog, waiting);
    this.mostInSlots = Math.max(this.mostInSlots, view.live.length - waiting);
    return view.live.map(({ sequence_id: id }) => id);
  }

  async noteMemory(): Promise<void> {
    this.#residents.push(await residentBytes(this.#server.pid));
  }

  /** Medians of both halves of the time, without the tenth in which everything grows to its size. */
  get memory(): { readonly firstHalf: number; readonly secondHalf: number; readonly last: number } {
    const warm = this.#residents.slice(Math.floor(this.#residents.length / 10));
    const middle = Math.floor(warm.length / 2);
    return {
      firstHalf: quartiles(warm.slice(0, middle)).median,
      secondHalf: quartiles(warm.slice(middle)).median,
      last: warm.at(-1)!,
    };
  }

  /** Lines of its log that tell of something wrong. */
  get complaints(): string[] {
    return this.#server.output.split('\n').filter((line) => /"level":"?(error|fatal|50|60)\b/.test(line));
  }
}

/** Values of a family of the metrics page by one of its labels. */
export function byLabel(page: string, family: string, label: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const [, key, value] of page.matchAll(new RegExp(`^${family}\\{.*?\\b${label}="([^"]*)".*?\\} (\\S+)$`, 'gm'))) {
    values.set(key!, Number(value));
  }
  return values;
}
