import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LimitProcess } from '../core/limit-process.js';
import type { Contender } from '../core/rounds.js';
import { type LoadRequest, parseWrk, type WrkLoad } from '../core/wrk.js';
import type { GeneratorOrder, GeneratorRun } from './order.js';

/** `wrk`, with the CPU time that it takes itself. */
export function wrkContender(load: WrkLoad, port: number, connections: number): Contender {
  return {
    name: 'wrk',
    async sample(seconds) {
      const command = load.command(port, connections, seconds);
      const { stdout, stderr } = await promisify(execFile)('bash', [
        '-c',
        `TIMEFORMAT='@cpu %U %S'; time "$@"`,
        'wrk',
        ...command,
      ]);
      const { requests, seconds: took, p50Us, p99Us } = parseWrk(stdout);
      const [, user, system] = /@cpu ([0-9.]+) ([0-9.]+)/.exec(stderr)!;
      return { rate: requests / took, p50Us, p99Us, cpuUs: ((Number(user) + Number(system)) * 1e6) / requests };
    },
  };
}

/** The generator of `conch bench`. */
export function ourContender(child: LimitProcess, request: LoadRequest, port: number, connections: number): Contender {
  const order: Omit<GeneratorOrder, 'seconds'> = {
    port,
    path: request.path,
    requestBase64: wholeRequest(request, port).toString('base64'),
    connections,
  };
  return {
    name: 'conch bench',
    async sample(seconds) {
      const run = await child.ask<GeneratorRun>({ ...order, seconds });
      if (run.failures > 0) throw new Error(`${run.failures} requests failed (expected none)`);
      const { requests, p50Us, p99Us } = run;
      return { rate: requests / run.seconds, p50Us, p99Us, cpuUs: run.cpuUs / requests };
    },
  };
}

function wholeRequest({ path, headers, body }: LoadRequest, port: number): Buffer {
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
}
