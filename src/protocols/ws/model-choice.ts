import type { ServedModel } from '../../core/served-model.js';
import type { InferenceServer } from '../../core/server.js';
import { invalid } from '../../types/errors.js';
import type { HeadCaches, PreparedHead } from '../head-cache.js';

/** Models of one connection whose heads are looked at before its message is read for the name. */
const RECENT_MODELS = 4;

/** Which model the messages of a connection are for. */
export interface ModelChoice {
  /** Of what was found last. */
  readonly model: ServedModel;
  /** A head that was seen before; null = `find` and `prepare` have to read it. */
  known(message: Buffer, begin: number, end: number): PreparedHead | null;
  /** Throws a ServerError where there is no such model, or it is not ready. */
  find(named: { readonly modelName: string; readonly modelVersion: string }): ServedModel;
  prepare(message: Buffer, begin: number, end: number): PreparedHead;
}

/** The model of the path. Looked up for each message: it may be loaded anew. */
export class PathModel implements ModelChoice {
  model!: ServedModel;
  readonly #server: InferenceServer;
  readonly #caches: HeadCaches;
  readonly #name: string;
  readonly #version: string;

  /** Throws as `find`. */
  constructor(server: InferenceServer, caches: HeadCaches, name: string, version: string) {
    this.#server = server;
    this.#caches = caches;
    this.#name = name;
    this.#version = version;
    this.find();
  }

  known(message: Buffer, begin: number, end: number): PreparedHead | null {
    return this.#caches.of(this.find()).known(message, begin, end);
  }

  find(): ServedModel {
    this.model = this.#server.find(this.#name, this.#version);
    return this.model;
  }

  prepare(message: Buffer, begin: number, end: number): PreparedHead {
    return this.#caches.of(this.model).prepare(message, begin, end);
  }
}

interface NamedModel {
  readonly name: string;
  readonly version: string;
  readonly model: ServedModel;
}

/**
 * The model that each message names. Its heads are kept apart from those of paths: the name is part of them, so that who knows a head
 * knows the model.
 */
export class MessageModel implements ModelChoice {
  model!: ServedModel;
  readonly #server: InferenceServer;
  readonly #caches: HeadCaches;
  /** The one that was asked last comes first. */
  readonly #recent: NamedModel[] = [];

  constructor(server: InferenceServer, caches: HeadCaches) {
    this.#server = server;
    this.#caches = caches;
  }

  known(message: Buffer, begin: number, end: number): PreparedHead | null {
    const recent = this.#recent;
    for (let index = 0; index < recent.length; index++) {
      const named = recent[index]!;
      const head = this.#caches.of(named.model).known(message, begin, end);
      if (head === null) continue;
      if (this.#server.find(named.name, named.version) !== named.model) return null;
      recent[index] = recent[0]!;
      recent[0] = named;
      this.model = named.model;
      return head;
    }
    return null;
  }

  find({ modelName, modelVersion }: { modelName: string; modelVersion: string }): ServedModel {
    if (modelName === '') throw invalid("the message names no model: it needs 'model_name' beside 'inputs'");
    this.model = this.#server.find(modelName, modelVersion);
    const known = this.#recent.findIndex(({ name, version }) => name === modelName && version === modelVersion);
    if (known >= 0) this.#recent.splice(known, 1);
    this.#recent.unshift({ name: modelName, version: modelVersion, model: this.model });
    this.#recent.length = Math.min(this.#recent.length, RECENT_MODELS);
    return this.model;
  }

  prepare(message: Buffer, begin: number, end: number): PreparedHead {
    return this.#caches.of(this.model).prepare(message, begin, end);
  }
}
