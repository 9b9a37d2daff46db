import type { MetricFamily } from './metrics.js';

/** What is read of the WebSockets. */
export interface SocketCounts {
  readonly connections: number;
  /** Requests without an answer. */
  readonly inFlight: number;
  /** Messages since the start. */
  readonly received: number;
  readonly sent: number;
}

/** @param read null = no WebSockets are served */
export function socketMetrics(read: () => SocketCounts | null): MetricFamily[] {
  return [
    {
      name: 'conch_ws_connections',
      help: 'Open WebSocket connections',
      type: 'gauge',
      collect: (emit) => emit.value({}, read()?.connections ?? 0),
    },
    {
      name: 'conch_ws_in_flight_requests',
      help: 'Requests over WebSocket that have no answer yet',
      type: 'gauge',
      collect: (emit) => emit.value({}, read()?.inFlight ?? 0),
    },
    {
      name: 'conch_ws_messages_total',
      help: 'Messages of WebSockets, without pings and the like',
      type: 'counter',
      collect: (emit) => {
        const counts = read();
        emit.value({ direction: 'received' }, counts?.received ?? 0);
        emit.value({ direction: 'sent' }, counts?.sent ?? 0);
      },
    },
  ];
}
