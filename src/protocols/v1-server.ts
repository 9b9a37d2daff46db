import { monotonicUs } from '../base/clock.js';
import type { ServedModel } from '../core/served-model.js';
import type { InferenceServer } from '../core/server.js';
import type { LoadOverrides } from '../repository/overrides.js';
import { asServerError, ServerError } from '../types/errors.js';
import { V1Message } from './v1-messages.js';
import { v1ModelStatus } from './v1-model-status.js';
import { v1Codes, v1LoadText, v1Text, v1Unavailable } from './v1-status.js';

/** What requests ask for that is counted in the status of the server. */
export type V1Counted = 'status' | 'health' | 'control' | 'memory';

const NO_OVERRIDES: LoadOverrides = { config: null, files: new Map() };

const readyStates = {
  starting: 'SERVER_INITIALIZING',
  ready: 'SERVER_READY',
  draining: 'SERVER_EXITING',
  stopped: 'SERVER_EXITING',
} as const;

class Duration {
  count = 0;
  us = 0;

  get message() {
    return { success: { count: this.count, total_time_ns: Math.round(this.us * 1000) } };
  }
}

/** The operations of the protocol of 19.11 that HTTP and gRPC have in common, and what it counts. */
export class V1Server {
  readonly server: InferenceServer;
  readonly #statusMessage = new V1Message('RequestStatus');
  readonly #successLine: string;
  readonly #version: string;
  readonly #startedUs = monotonicUs();
  readonly #counts: Readonly<Record<V1Counted, Duration>> = {
    status: new Duration(),
    health: new Duration(),
    control: new Duration(),
    memory: new Duration(),
  };
  #lastRequestId = 0;

  /** @param version as the status of the server says it */
  constructor(server: InferenceServer, version: string) {
    this.server = server;
    this.#version = version;
    this.#successLine = `${this.#statusMessage.line({ code: 'SUCCESS', server_id: this.id })} request_id: `;
  }

  get id(): string {
    return this.server.metadata().name;
  }

  /** 1 and up. */
  nextRequestId(): number {
    return ++this.#lastRequestId;
  }

  /** A RequestStatus. @param failure null = success */
  requestStatus(failure: ServerError | null): object {
    const request_id = this.nextRequestId();
    if (failure === null) return { code: 'SUCCESS', server_id: this.id, request_id };
    return { code: v1Codes[failure.code], msg: v1Text(failure), server_id: this.id, request_id };
  }

  /** The same as the text of NV-Status. */
  statusLine(failure: ServerError | null): string {
    if (failure === null) return `${this.#successLine}${this.nextRequestId()}`;
    return this.#statusMessage.line(this.requestStatus(failure));
  }

  /** Counts an operation, whether it succeeds or not. */
  counted<Result>(what: V1Counted, run: () => Result): Result {
    const beganUs = monotonicUs();
    const { [what]: duration } = this.#counts;
    const end = () => {
      duration.count++;
      duration.us += monotonicUs() - beganUs;
    };
    let result: Result;
    try {
      result = run();
    } catch (error) {
      end();
      throw error;
    }
    if (result instanceof Promise) return result.finally(end) as Result;
    end();
    return result;
  }

  /** Throws UNAVAILABLE for every reason there is. @param version '' = the latest */
  find(name: string, version: string): ServedModel {
    this.#checkReady();
    let model: ServedModel;
    try {
      model = this.server.find(name, version);
    } catch {
      const which = version === '' ? '' : ` version ${version}`;
      throw v1Unavailable(`Inference request for unknown model '${name}'${which}: no such version is ready`);
    }
    if (!model.isDecoupled) return model;
    throw new ServerError(
      'UNSUPPORTED',
      `model '${name}' answers a request any number of times, which the V1 protocol cannot carry: use V2`,
    );
  }

  /** @param mode live or ready. Throws UNAVAILABLE where the server ends, UNKNOWN for another mode. */
  health(mode: string): boolean {
    return this.counted('health', () => {
      this.#checkNotExiting();
      if (mode === 'live') return this.server.isLive;
      if (mode === 'ready') return this.server.isReady;
      throw new ServerError('UNKNOWN', `unknown health mode '${mode}': expected 'live' or 'ready'`);
    });
  }

  /** A ServerStatus. @param model '' = all. Throws INVALID_ARGUMENT where it is unknown, UNAVAILABLE where the server ends. */
  status(model: string): object {
    return this.counted('status', () => {
      this.#checkNotExiting();
      const models = v1ModelStatus(this.server, model);
      const common = {
        id: this.id,
        version: this.#version,
        uptime_ns: Math.round((monotonicUs() - this.#startedUs) * 1000),
        ready_state: readyStates[this.server.state],
        model_status: models,
      };
      return model === '' ? { ...common, ...this.#counters() } : common;
    });
  }

  /** Resolves when the model serves. Rejects with UNAVAILABLE where requests do not load models, else INTERNAL. */
  load(name: string): Promise<void> {
    return this.counted('control', async () => {
      this.#checkReady();
      try {
        await this.server.load(name, NO_OVERRIDES);
      } catch (error) {
        const { code, message } = asServerError(error);
        throw new ServerError(code === 'UNAVAILABLE' ? code : 'INTERNAL', v1LoadText(name, message));
      }
    });
  }

  unload(name: string): void {
    this.counted('control', () => {
      this.#checkReady();
      this.server.unload(name, false);
    });
  }

  #counters() {
    const { status, health, control, memory } = this.#counts;
    return {
      status_stats: status.message,
      health_stats: health.message,
      model_control_stats: control.message,
      shm_control_stats: memory.message,
    };
  }

  #checkNotExiting(): void {
    const { state } = this.server;
    if (state === 'draining' || state === 'stopped') throw v1Unavailable('Server exiting');
  }

  #checkReady(): void {
    if (this.server.state !== 'ready') throw v1Unavailable('Server not ready');
  }
}
