import type { ServedModel } from '../../core/served-model.js';
import { invalid } from '../../types/errors.js';
import type { SequenceId } from '../../types/infer.js';

/** The live view of a model's sequences; ids of 64 bits are exact. Throws INVALID_ARGUMENT for a model that has none. */
export function sequencesJson(model: ServedModel): string {
  const snapshot = model.sequences();
  if (snapshot === null) throw invalid(`model '${model.name}' has no sequence_batching, so it keeps no sequences`);
  const { strategy, slots, live, ended } = snapshot;
  const head = { model_name: model.name, model_version: String(model.version), strategy, slots_per_instance: slots };
  const lives = live.map(({ id, state, instance, place, ageUs, idleUs, requestsDone, requestsQueued }) =>
    withId(id, {
      state,
      ...(state === 'backlog' ? { position: place } : { instance, slot: place }),
      age_us: Math.round(ageUs),
      idle_us: Math.round(idleUs),
      requests_done: requestsDone,
      requests_queued: requestsQueued,
    }),
  );
  const ends = ended.map(({ id, reason, cause, instance, requests, livedUs, agoUs }) =>
    withId(id, {
      reason,
      cause,
      instance,
      requests_done: requests,
      lived_us: Math.round(livedUs),
      ended_us_ago: Math.round(agoUs),
    }),
  );
  return `${JSON.stringify(head).slice(0, -1)},"live":[${lives.join(',')}],"ended":[${ends.join(',')}]}`;
}

function withId(id: SequenceId, members: object): string {
  const text = typeof id === 'string' ? JSON.stringify(id) : String(id);
  return `{"sequence_id":${text},${JSON.stringify(members).slice(1)}`;
}
