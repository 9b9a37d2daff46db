import { setTimeout as delay } from 'node:timers/promises';
import {
  type Facts,
  type ListedVersion,
  type ModelName,
  readCounters,
  readModel,
  readServer,
  readSteps,
} from './facts.js';
import { type NotReady, notReadyIn, quoted } from './not-ready.js';
import type { ModelCounters, Target, TargetModel } from './target.js';

/** Between two looks at a model that is not ready. */
const READY_POLL_MS = 50;

/** Questions to a server of the V2 protocol, in the terms of no transport. All throw an error that names the URL. */
export interface V2Calls {
  serverMetadata(): Promise<Facts>;
  modelMetadata(model: ModelName): Promise<Facts>;
  /** null = the server has no such extension. */
  modelConfig(model: ModelName): Promise<Facts | null>;
  /** null = the server has no such extension. */
  statistics(model: ModelName): Promise<Facts | null>;
  /** null = the server says that it does not know the model. */
  isReady(model: ModelName): Promise<boolean | null>;
  /** All that is in the repository; null = the server does not tell. */
  repositoryIndex(): Promise<readonly ListedVersion[] | null>;
}

/** What HTTP and gRPC have in common. */
export abstract class V2Target implements Target {
  /** For messages. */
  protected abstract readonly url: string;
  protected abstract readonly calls: V2Calls;

  async server() {
    return readServer(await this.calls.serverMetadata());
  }

  async model(name: string, version: string): Promise<TargetModel> {
    const metadata = await this.calls.modelMetadata({ name, version });
    const config = await this.calls.modelConfig({ name, version });
    const composing = config === null ? [] : await this.#composing(config);
    return readModel(metadata, config, version, composing);
  }

  /** A server that is not there yet is waited for as well; a model that no waiting brings is not. */
  async awaitReady(name: string, version: string, timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const notReady = await this.#notReady({ name, version });
      if (notReady === null) return;
      if (!notReady.mayCome || performance.now() >= endMs) throw new Error(notReady.why);
      await delay(READY_POLL_MS);
    }
  }

  async statistics(name: string, version: string): Promise<readonly ModelCounters[] | null> {
    const facts = await this.calls.statistics({ name, version });
    return facts === null ? null : readCounters(facts);
  }

  abstract registerRegion(name: string, key: string, bytes: number): Promise<void>;
  abstract unregisterRegion(name: string): Promise<void>;
  abstract setTrace(model: string, settings: Readonly<Record<string, string | readonly string[]>>): Promise<void>;
  abstract close(): void | Promise<void>;

  /** null = it is ready. */
  async #notReady(model: ModelName): Promise<NotReady | null> {
    try {
      const isReady = await this.calls.isReady(model);
      if (isReady) return null;
      const index = await this.calls.repositoryIndex();
      if (index !== null) return notReadyIn(index, model, this.url);
      if (isReady === null) return { why: `${this.url} has no ${quoted(model)}`, mayCome: false };
      const hint = "is it loaded there? The server's log says why where it failed to load";
      return { why: `${quoted(model)} is not ready on ${this.url}: ${hint}`, mayCome: true };
    } catch (error) {
      return { why: (error as Error).message, mayCome: true };
    }
  }

  /** Each once, those that are nearer first. */
  async #composing(config: Facts): Promise<ModelName[]> {
    const found: ModelName[] = [];
    const isKnown = ({ name, version }: ModelName) =>
      found.some((model) => model.name === name && model.version === version);
    const add = (steps: readonly ModelName[]) => {
      for (const step of steps) if (!isKnown(step)) found.push(step);
    };
    add(readSteps(config));
    for (let nth = 0; nth < found.length; nth++) {
      const inner = await this.calls.modelConfig(found[nth]!);
      if (inner !== null) add(readSteps(inner));
    }
    return found;
  }
}

export const URL_FLAG = '-u HOST:PORT';

/** What a failure to reach a server says. @param flag where the user says what the URL is */
export function unreachable(url: string, asked: string, reason: string, flag = URL_FLAG): Error {
  return new Error(`cannot ask ${url} for ${asked}: ${reason}. Is the server running there? ${flag} says where it is`);
}
