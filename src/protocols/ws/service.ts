import { monotonicUs } from '../../base/clock.js';
import type { InferenceServer } from '../../core/server.js';
import type { SocketCounts } from '../../telemetry/socket-metrics.js';
import type { Tracing } from '../../telemetry/trace/tracing.js';
import { asServerError, ServerError } from '../../types/errors.js';
import { HeadCaches } from '../head-cache.js';
import type { JsonPool } from '../json-pool.js';
import { RefusalLog } from '../refusal-log.js';
import { Router } from '../routes.js';
import { httpStatus } from '../status.js';
import type { SocketDecision, SocketHandler, SocketLimits, SocketRequest } from '../web-socket.js';
import { InferTask, type TaskHost } from './infer-task.js';
import { MessageModel, PathModel } from './model-choice.js';
import { isAllowedOrigin } from './origins.js';
import { Session, type SessionHost, type SessionLimits } from './session.js';

/** The name of this protocol (RFC 6455, 1.9). */
export const SUB_PROTOCOL = 'conch.v1';

const CHECKS_PER_TIMEOUT = 4;
const LONGEST_CHECK_INTERVAL_MS = 1000;
const SHORTEST_CHECK_INTERVAL_MS = 10;

/** Tasks without a request that are kept for use again. */
const IDLE_TASKS_MAX = 4096;

const JSON_HEADERS: readonly string[] = ['Content-Type', 'application/json'];
const RETRY_HEADERS: readonly string[] = [...JSON_HEADERS, 'Retry-After', '1'];

/** Each has a flag; see `SessionLimits` and `SocketLimits` too. */
export interface SocketServiceLimits extends SocketLimits, SessionLimits {
  /** Open WebSockets; over it a new one is answered 429. */
  readonly maxConnections: number;
  /** `--http-max-input-size`: JSON, and raw requests. */
  readonly maxInputBytes: number;
}

/** The V2 protocol over WebSocket, `conch.v1`: what engines are given to serve. */
export class SocketService implements SocketHandler, SessionHost, TaskHost {
  readonly limits: SocketServiceLimits;
  readonly maxInputBytes: number;
  readonly tracing: Tracing;
  readonly refusals: RefusalLog;
  nowMs = 0;
  readonly #server: InferenceServer;
  readonly #pool: JsonPool;
  readonly #origins: readonly string[];
  readonly #router = new Router();
  readonly #pathCaches: HeadCaches;
  readonly #messageCaches: HeadCaches;
  readonly #sessions = new Set<Session>();
  readonly #idleTasks: InferTask[] = [];
  readonly #checkIntervalMs: number;
  readonly #checks: NodeJS.Timeout;
  #isDraining = false;
  #whenIdle: (() => void)[] = [];
  #received = 0;
  #sent = 0;

  /** @param origins `--ws-allow-origin` */
  constructor(server: InferenceServer, limits: SocketServiceLimits, origins: readonly string[], pool: JsonPool) {
    this.#server = server;
    this.#pathCaches = new HeadCaches(server.regions.isAllowed);
    this.#messageCaches = new HeadCaches(server.regions.isAllowed);
    this.tracing = server.tracing;
    this.refusals = new RefusalLog(server.log);
    this.limits = limits;
    this.maxInputBytes = limits.maxInputBytes;
    this.#origins = origins;
    this.#pool = pool;
    this.#checkIntervalMs = checkInterval(limits);
    this.#check();
    this.#checks = setInterval(() => this.#check(), this.#checkIntervalMs);
    this.#checks.unref();
  }

  /** For the metrics. */
  get counts(): SocketCounts {
    let inFlight = 0;
    for (const session of this.#sessions) inFlight += session.inFlight;
    return { connections: this.#sessions.size, inFlight, received: this.#received, sent: this.#sent };
  }

  decide(request: SocketRequest): SocketDecision {
    const route = this.#router.match(request.path);
    if (route?.endpoint !== 'infer' && route?.endpoint !== 'socket') return { kind: 'pass' };
    try {
      this.#admit(request);
      const protocol = chooseProtocol(request.header('sec-websocket-protocol'));
      // Finds out now whether there is such a model.
      const models =
        route.endpoint === 'socket'
          ? new MessageModel(this.#server, this.#messageCaches)
          : new PathModel(this.#server, this.#pathCaches, route.model, route.version);
      const isOrdered = new URLSearchParams(request.query).get('ordered') === '1';
      return { kind: 'accept', protocol, open: (socket) => this.#open(new Session(this, socket, models, isOrdered)) };
    } catch (error) {
      return refusal(asServerError(error));
    }
  }

  /** Takes no more connections, and closes each when all on it is answered. */
  drain(): void {
    this.#isDraining = true;
    for (const session of [...this.#sessions]) session.drain();
  }

  /** Resolves when there is no connection. */
  idle(): Promise<void> {
    if (this.#sessions.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Ends the checks; the engine ends the connections. */
  stop(): void {
    clearInterval(this.#checks);
  }

  /** For sessions and tasks, from here on. */
  takeTask(): InferTask {
    return this.#idleTasks.pop() ?? new InferTask(this, this.#pool, this.#server.regions);
  }

  recycle(task: InferTask): void {
    if (this.#idleTasks.length < IDLE_TASKS_MAX) this.#idleTasks.push(task);
  }

  onReceived(): void {
    this.#received++;
  }

  onSent(): void {
    this.#sent++;
  }

  onClosed(session: Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size > 0) return;
    const resolvers = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of resolvers) resolve();
  }

  #open(session: Session): Session {
    this.#sessions.add(session);
    if (this.#isDraining) session.drain();
    return session;
  }

  #admit(request: SocketRequest): void {
    const origin = request.header('origin');
    if (!isAllowedOrigin(origin, request.header('host'), this.#origins)) throw new ForeignOrigin(origin);
    if (this.#isDraining) throw new ServerError('UNAVAILABLE', 'the server is stopping');
    const { maxConnections } = this.limits;
    if (this.#sessions.size < maxConnections) return;
    throw new ServerError(
      'RESOURCE_EXHAUSTED',
      `${maxConnections} WebSockets are open (--ws-max-connections): try again later`,
    );
  }

  /** Sessions read `nowMs` until the next call: it is the time of that one, so that nothing ends before its time. */
  #check(): void {
    const nowMs = monotonicUs() / 1000;
    this.nowMs = nowMs + this.#checkIntervalMs;
    for (const session of [...this.#sessions]) session.check(nowMs);
  }
}

class ForeignOrigin extends ServerError {
  constructor(origin: string) {
    super('INVALID_ARGUMENT', `pages of the origin '${origin}' are not allowed here (--ws-allow-origin)`);
  }
}

function refusal(error: ServerError): SocketDecision {
  const status = error instanceof ForeignOrigin ? 403 : httpStatus[error.code];
  const body = Buffer.from(JSON.stringify({ error: error.message }));
  return { kind: 'refuse', status, headers: status === 429 ? RETRY_HEADERS : JSON_HEADERS, body };
}

/** '' = the client asks for none. Throws where it asks for others only: browsers hang up on a server that takes none of theirs. */
function chooseProtocol(offered: string): string {
  if (offered === '') return '';
  if (offered.split(',').some((name) => name.trim() === SUB_PROTOCOL)) return SUB_PROTOCOL;
  throw new ServerError('INVALID_ARGUMENT', `the sub-protocol here is '${SUB_PROTOCOL}', got '${offered}'`);
}

function checkInterval({ idleTimeoutMs, pingIntervalMs }: SessionLimits): number {
  const timeouts = [idleTimeoutMs, pingIntervalMs].filter((timeoutMs) => timeoutMs > 0);
  const shortest = Math.min(...timeouts) / CHECKS_PER_TIMEOUT;
  return Math.max(SHORTEST_CHECK_INTERVAL_MS, Math.min(LONGEST_CHECK_INTERVAL_MS, shortest));
}
