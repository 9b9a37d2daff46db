import type { Labels, MetricFamily } from './metrics.js';

/** Bytes of tensor memory that a model has: for requests and answers, and ready for the next. */
export interface PlaneBytes {
  readonly input: StateBytes;
  readonly output: StateBytes;
}

interface StateBytes {
  readonly inUse: number;
  readonly reserved: number;
}

/** @param read is called once for each scrape */
export function planeMetrics(
  read: () => readonly { readonly labels: Labels; readonly bytes: PlaneBytes }[],
): MetricFamily {
  return {
    name: 'conch_plane_bytes',
    type: 'gauge',
    help: 'Tensor memory of a model: of requests and answers, and what is reserved',
    collect: (emit) => {
      for (const { labels, bytes } of read()) {
        for (const kind of ['input', 'output'] as const) {
          emit.value({ ...labels, kind, state: 'in_use' }, bytes[kind].inUse);
          emit.value({ ...labels, kind, state: 'reserved' }, bytes[kind].reserved);
        }
      }
    },
  };
}
