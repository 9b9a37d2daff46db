import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A request as `wrk` repeats it. */
export interface LoadRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Where in the body 4 bytes lie that are others in each request; left out = all are alike. */
  readonly countedAt?: number;
}

export interface WrkResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** The counts of `wrk` that have to be 0. `status` is answers above 399. */
const errorKinds = ['connect', 'read', 'write', 'status', 'timeout'] as const;

/** In front of the line that our `done` prints, so that it is found among what `wrk` prints itself. */
const mark = '@result ';

/** Lua writes `[[...]]` as it stands; level 2 so that `]]` in a header does no harm. */
function luaText(text: string): string {
  return `[==[${text}]==]`;
}

/** Counts on from a number of the second, so that runs are distinct too: 2^18 requests to each, anew after 2^14 seconds. */
function countingScript(at: number): string {
  return `local count = os.time() % 16384 * 262144
local before, behind
function request()
  if before == nil then
    local whole = wrk.format()
    local begin = #whole - #wrk.body + ${at}
    before, behind = whole:sub(1, begin), whole:sub(begin + 5)
  end
  count = count + 1
  local low, high = count % 65536, math.floor(count / 65536)
  return before .. string.char(low % 256, math.floor(low / 256), high % 256, math.floor(high / 256)) .. behind
end
`;
}

/** `wrk` builds the request once, from a script without a `request` function: the Lua costs nothing per request, unless it counts. */
export function wrkScript(request: LoadRequest, bodyFile: string): string {
  const headers = Object.entries(request.headers).map(
    ([key, value]) => `wrk.headers[ ${luaText(key)} ] = ${luaText(value)}`,
  );
  const counts = errorKinds.map((kind) => `"${kind}":%d`).join(',');
  const values = errorKinds.map((kind) => `summary.errors.${kind}`).join(', ');
  return `wrk.method = 'POST'
local file = assert(io.open(${luaText(bodyFile)}, 'rb'))
wrk.body = file:read('*a')
file:close()
${headers.join('\n')}
${request.countedAt === undefined ? '' : countingScript(request.countedAt)}function done(summary, latency)
  print(string.format('${mark}{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"maxUs":%d,${counts}}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, ${values}))
end
`;
}

/** Reads what `wrk` printed. Throws when a single request failed: a figure with errors in it means nothing. */
export function parseWrk(output: string): WrkResult {
  const line = output.split('\n').find((text) => text.startsWith(mark));
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`);
  const result = JSON.parse(line.slice(mark.length)) as Record<string, number>;
  const failures = errorKinds.filter((kind) => result[kind] !== 0).map((kind) => `${result[kind]} ${kind}`);
  if (failures.length > 0) throw new Error(`wrk met errors (expected none): ${failures.join(', ')}`);
  if (result.requests === 0) throw new Error('wrk finished no request');
  return {
    requests: result.requests!,
    seconds: result.durationUs! / 1e6,
    p50Us: result.p50Us!,
    p99Us: result.p99Us!,
    maxUs: result.maxUs!,
  };
}

/** A request whose script and body lie in files, ready for any number of runs. */
export class WrkLoad {
  readonly request: LoadRequest;
  readonly #script: string;

  private constructor(request: LoadRequest, script: string) {
    this.request = request;
    this.#script = script;
  }

  /** Writes `NAME.lua` and `NAME.body` into `directory`. */
  static async create(request: LoadRequest, directory: string, name: string): Promise<WrkLoad> {
    const script = join(directory, `${name}.lua`);
    const bodyFile = join(directory, `${name}.body`);
    await writeFile(bodyFile, request.body);
    await writeFile(script, wrkScript(request, bodyFile));
    return new WrkLoad(request, script);
  }

  /** One thread, `connections` connections, one request at a time on each. */
  async run(port: number, connections: number, seconds: number): Promise<WrkResult> {
    const [program, ...flags] = this.command(port, connections, seconds);
    const { stdout, stderr } = await promisify(execFile)(program, flags).catch(explainMissing);
    return parseWrk(stdout + stderr);
  }

  command(port: number, connections: number, seconds: number): [program: string, ...flags: string[]] {
    const url = `http://127.0.0.1:${port}${this.request.path}`;
    return ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', this.#script, url];
  }
}

function explainMissing(error: NodeJS.ErrnoException): never {
  if (error.code === 'ENOENT') throw new Error('wrk is not installed: apt-get install wrk', { cause: error });
  throw error;
}
