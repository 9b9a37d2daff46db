/** What a path asks for. Names are percent-decoded; a version is '' where the path has none. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly model: string;
  readonly version: string;
  /** Of shared memory; absent = the path has none. */
  readonly region?: string;
  /** Of V1: what stands behind the family of endpoints, as sent. */
  readonly rest?: string;
}

export type Endpoint =
  | 'server-metadata'
  | 'live'
  | 'ready'
  | 'models'
  | 'all-statistics'
  | 'index'
  | 'load'
  | 'unload'
  | 'foreign-repository'
  | 'system-memory-status'
  | 'system-memory-register'
  | 'system-memory-unregister'
  | 'cuda-memory-status'
  | 'cuda-memory-register'
  | 'cuda-memory-unregister'
  | 'model-metadata'
  | 'model-ready'
  | 'model-config'
  | 'model-statistics'
  | 'model-sequences'
  | 'model-batching'
  | 'trace-setting'
  | 'logging'
  | 'infer'
  | 'generate'
  | 'generate-stream'
  | 'socket'
  | V1Endpoint;

/** Families of endpoints of V1 (v1 fact sheet 1.2). */
export type V1Endpoint =
  | 'v1-health'
  | 'v1-status'
  | 'v1-infer'
  | 'v1-model-control'
  | 'v1-memory-control'
  | 'v1-memory-status';

/** Methods an endpoint answers, as `Allow` has them; any other is 405. */
export const methods: Readonly<Record<Endpoint, 'GET' | 'POST' | 'GET, POST'>> = {
  'server-metadata': 'GET',
  live: 'GET',
  ready: 'GET',
  models: 'GET',
  'all-statistics': 'GET',
  index: 'POST',
  load: 'POST',
  unload: 'POST',
  'foreign-repository': 'POST',
  'system-memory-status': 'GET',
  'system-memory-register': 'POST',
  'system-memory-unregister': 'POST',
  'cuda-memory-status': 'GET',
  'cuda-memory-register': 'POST',
  'cuda-memory-unregister': 'POST',
  'model-metadata': 'GET',
  'model-ready': 'GET',
  'model-config': 'GET',
  'model-statistics': 'GET',
  'model-sequences': 'GET',
  'model-batching': 'GET',
  'trace-setting': 'GET, POST',
  logging: 'GET, POST',
  infer: 'POST',
  generate: 'POST',
  'generate-stream': 'POST',
  socket: 'GET',
  'v1-health': 'GET',
  'v1-status': 'GET',
  'v1-infer': 'POST',
  'v1-model-control': 'POST',
  'v1-memory-control': 'POST',
  'v1-memory-status': 'GET',
};

export function answers(endpoint: Endpoint, method: string): boolean {
  const answered = methods[endpoint];
  return method === answered || (answered === 'GET, POST' && (method === 'GET' || method === 'POST'));
}

const fixed: Readonly<Record<string, Endpoint>> = {
  '/v2': 'server-metadata',
  '/v2/': 'server-metadata',
  '/v2/health/live': 'live',
  '/v2/health/ready': 'ready',
  '/v2/models': 'models',
  '/v2/models/stats': 'all-statistics',
  '/v2/trace/setting': 'trace-setting',
  '/v2/logging': 'logging',
  '/v2/repository/index': 'index',
  '/v2/ws': 'socket',
};

const actions: Readonly<Record<string, Endpoint>> = {
  '': 'model-metadata',
  ready: 'model-ready',
  config: 'model-config',
  stats: 'model-statistics',
  sequences: 'model-sequences',
  batching: 'model-batching',
  infer: 'infer',
  generate: 'generate',
  generate_stream: 'generate-stream',
};

const modelPath =
  /^\/v2\/models\/([^/]+)(?:\/versions\/([0-9]+))?(?:\/(ready|config|stats|sequences|batching|infer|generate|generate_stream))?$/;
const repositoryIndexPath = /^\/v2\/repository\/[^/]+\/index$/;
const modelTracePath = /^\/v2\/models\/([^/]+)\/trace\/setting$/;
const controlPath = /^\/v2\/repository\/(?:([^/]+)\/)?models\/([^/]*)\/(load|unload)$/;
const sharedMemoryPath = /^\/v2\/(system|cuda)sharedmemory(?:\/region\/([^/]+))?\/(status|register|unregister)$/;

const v1Path = /^\/api\/(health|status|infer|modelcontrol|sharedmemorycontrol)(.*)$/;
const v1InferPath = /^\/([^/]+)(?:\/([0-9]+))?$/;

const v1Families: Readonly<Record<string, V1Endpoint>> = {
  health: 'v1-health',
  status: 'v1-status',
  infer: 'v1-infer',
  modelcontrol: 'v1-model-control',
  sharedmemorycontrol: 'v1-memory-control',
};

/** Paths repeat: matched ones are remembered, up to this many, of up to so many characters: longer ones would fill the memory. */
const REMEMBERED_PATHS = 4096;
const LONGEST_REMEMBERED_PATH = 512;

/** Matches paths against the routes of V2 (fact sheet 1.1) and V1; the query string is not part of a path here. */
export class Router {
  readonly #remembered = new Map<string, Route>();
  /** Comparing with the last path is cheaper than hashing this one. */
  #lastPath = '';
  #last: Route | null = null;

  /** Null = no such route. */
  match(path: string): Route | null {
    if (path === this.#lastPath) return this.#last;
    this.#last = this.#lookUp(path);
    this.#lastPath = path;
    return this.#last;
  }

  #lookUp(path: string): Route | null {
    const known = this.#remembered.get(path);
    if (known !== undefined) return known;
    const route = matchPath(path);
    if (route === null || path.length > LONGEST_REMEMBERED_PATH) return route;
    if (this.#remembered.size >= REMEMBERED_PATHS) this.#remembered.clear();
    this.#remembered.set(path, route);
    return route;
  }
}

function matchPath(path: string): Route | null {
  const endpoint = Object.hasOwn(fixed, path) ? fixed[path] : undefined;
  if (endpoint !== undefined) return { endpoint, model: '', version: '' };
  if (path.startsWith('/api/')) return matchV1(path);
  if (repositoryIndexPath.test(path)) return { endpoint: 'index', model: '', version: '' };
  const control = controlPath.exec(path);
  if (control !== null) return matchControl(control);
  const memory = sharedMemoryPath.exec(path);
  if (memory !== null) return matchSharedMemory(memory);
  const match = modelPath.exec(path);
  if (match === null) return matchTrace(modelTracePath.exec(path));
  const model = decode(match[1]!);
  return model === null ? null : { endpoint: actions[match[3] ?? '']!, model, version: match[2] ?? '' };
}

/** Names are taken as sent. A path of a family that is none of its endpoints has no model: the method is looked at first. */
function matchV1(path: string): Route | null {
  const match = v1Path.exec(path);
  if (match === null) return null;
  const rest = match[2]!;
  const endpoint = v1Families[match[1]!]!;
  if (endpoint === 'v1-memory-control' && rest === '/status')
    return { endpoint: 'v1-memory-status', model: '', version: '', rest };
  const infer = endpoint === 'v1-infer' ? v1InferPath.exec(rest) : null;
  return { endpoint, model: infer?.[1] ?? '', version: infer?.[2] ?? '', rest };
}

/** The family of a route of V1; null = it is of V2. */
export function v1EndpointOf({ endpoint }: Route): V1Endpoint | null {
  return endpoint.startsWith('v1-') ? (endpoint as V1Endpoint) : null;
}

function matchTrace(match: RegExpExecArray | null): Route | null {
  const model = match === null ? null : decode(match[1]!);
  return model === null ? null : { endpoint: 'trace-setting', model, version: '' };
}

/** Triton has no names for repositories. */
function matchControl([, repository, name, action]: RegExpExecArray): Route | null {
  const model = decode(name!);
  if (model === null) return null;
  const endpoint = repository === undefined ? (action as 'load' | 'unload') : 'foreign-repository';
  return { endpoint, model, version: '' };
}

function matchSharedMemory([, kind, name, action]: RegExpExecArray): Route | null {
  const endpoint = `${kind as 'system' | 'cuda'}-memory-${action as 'status' | 'register' | 'unregister'}` as const;
  if (name === undefined) return { endpoint, model: '', version: '' };
  const region = decode(name);
  return region === null ? null : { endpoint, model: '', version: '', region };
}

/** A decoded name is only ever looked up, never made a path. */
function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
