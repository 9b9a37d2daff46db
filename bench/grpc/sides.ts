import type { Contest, Side } from '../core/contest.js';
import type { Listening } from '../core/limit-process.js';
import type { Contender } from '../core/rounds.js';
import type { EchoServer } from '../grpc-echo-servers.js';
import { cpuMicroseconds } from '../server/proc.js';
import type { ServerProcess } from '../server/server-process.js';
import type { H2Load, Width } from './h2load.js';
import { probeGrpc } from './probe.js';

/** A side that has answered the message once, and how large that answer was. */
export interface ProbedSide extends Side {
  readonly answerBytes: number;
}

/** @param path of the method; left out = ModelInfer */
export async function probedServer(server: ServerProcess, message: Uint8Array, path?: string): Promise<ProbedSide> {
  const { pid, grpcPort } = server;
  return { pid, port: grpcPort, answerBytes: await probeGrpc(grpcPort, message, path) };
}

/** A bare echo in a process of its own. */
export async function echoSide(contest: Contest, transport: EchoServer, message: Uint8Array): Promise<ProbedSide> {
  const limit = contest.limit('../grpc/echo-server.js');
  const { port } = await limit.ask<Listening>({ transport });
  return { pid: limit.pid, port, answerBytes: await probeGrpc(port, message) };
}

/** A side under load from `h2load`, which keeps no median of its latencies. */
export function h2loaded(name: string, side: ProbedSide, load: H2Load, width: Width): Contender {
  return {
    name,
    async sample(seconds) {
      const before = await cpuMicroseconds(side.pid);
      const { requests, perSecond } = await load.run(side.port, width, seconds, side.answerBytes);
      const cpuUs = ((await cpuMicroseconds(side.pid)) - before) / requests;
      return { rate: perSecond, p50Us: null, p99Us: null, cpuUs };
    },
  };
}
