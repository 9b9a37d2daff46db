import { binaryRequest, type ModelMetadata } from '../core/bodies.js';
import type { Answer } from '../core/contest.js';
import type { LoadRequest } from '../core/wrk.js';
import type { ServerProcess } from '../server/server-process.js';

/** What features can point their flags at. */
export interface Place {
  /** A folder for files of servers; it goes with the measurement. */
  readonly directory: string;
  /** Of a receiver of spans that takes all. */
  readonly spansUrl: string;
  /** Spans that came, in requests with any number of them. */
  spanRequests(): number;
}

/** One of the two servers, and what it is asked. */
export interface FeatureSide {
  readonly flags: readonly string[];
  /** Behind the config.pbtxt of the model. */
  readonly config: string;
  /** Over gRPC the request is the same on both sides. */
  readonly request: (model: ModelMetadata) => LoadRequest;
  /** Before it is loaded. */
  readonly prepare?: (server: ServerProcess) => Promise<void>;
}

export const plain: FeatureSide = { flags: [], config: '', request: binaryRequest };

/** Something that can be on or off, and may cost something. */
export interface Feature {
  readonly name: string;
  /** For the table: what `on` has and `off` has not. */
  readonly title: string;
  readonly model: string;
  readonly connections: number;
  /** `wrk` loads HTTP, `h2load` gRPC with as many streams on each connection as there are connections. */
  readonly protocol: 'http' | 'grpc';
  /** Of servers, started anew for each. Differences of one percent want many. */
  readonly pairs: number;
  readonly on: (place: Place) => FeatureSide;
  readonly off: (place: Place) => FeatureSide;
  /** Whether it was really on: throws where not. `answer` is that of a request over HTTP. Called when the rounds are over. */
  readonly proof?: (on: ServerProcess, place: Place, answer: Answer) => Promise<void>;
}

export function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`it was not on: expected ${what}`);
}
