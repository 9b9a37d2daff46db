import type { LoadResult } from '../load/report.js';
import type { TimePart } from './page/bench-data.js';

/**
 * What the mean latency of a load consists of, in the order in which a request meets it. `network` is what nobody accounts for: time on
 * the wire and in sockets, and all of the server's where it has no statistics. `other` is the server's own outside queue and execution,
 * for an ensemble the time of its steps. Parts that nobody measured are left out.
 */
export function timeParts({ latency, client, models }: LoadResult): TimePart[] {
  if (latency.count === 0) return [];
  const server = models[0];
  const measured =
    server === undefined ? 0 : server.queueUs + server.computeInputUs + server.computeInferUs + server.computeOutputUs;
  const other = server === undefined ? 0 : Math.max(0, server.requestUs - measured);
  const network = Math.max(0, latency.mean - client.sendUs - client.receiveUs - measured - other);
  const ofServer: TimePart[] =
    server === undefined
      ? []
      : [
          { part: 'queue', us: server.queueUs },
          { part: 'input', us: server.computeInputUs },
          { part: 'infer', us: server.computeInferUs },
          { part: 'output', us: server.computeOutputUs },
          { part: 'other', us: other },
        ];
  return [
    { part: 'send', us: client.sendUs },
    { part: 'network', us: network },
    ...ofServer,
    { part: 'receive', us: client.receiveUs },
  ];
}
