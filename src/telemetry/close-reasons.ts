/**
 * Why a batch has no more rows when it begins, all of which are always shown: `full` it has as many as it may, or the next request has more than
 * are left, which in a model that runs each request alone is so whenever one waits;
 * `preferred` it has a preferred size; `delay` its oldest request has waited for max_queue_delay; `shape_changed` the next request has other shapes or
 * inputs; `idle_instance` an instance had nothing to do when the request came, and took what there was; `end_of_queue` an
 * instance became free, and nothing else had come.
 */
export const CLOSE_REASONS = ['full', 'preferred', 'delay', 'idle_instance', 'shape_changed', 'end_of_queue'] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];
