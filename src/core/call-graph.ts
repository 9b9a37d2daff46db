import { invalid } from '../types/errors.js';
import type { ServedModel } from './served-model.js';

/**
 * Notes that `caller` calls `callee` from now on. Throws INVALID_ARGUMENT where `callee` waits, or has waited, for answers of `caller`, itself or over
 * others: both would hold an instance that the other one needs. What calls what is remembered, not only what runs: two requests can
 * block each other that are no cycle for themselves, and a refusal must not depend on what else runs.
 */
export function connect(caller: ServedModel, callee: ServedModel): void {
  const called = caller.called!;
  if (called.has(callee)) return;
  const way = wayBetween(callee, caller, new Set());
  if (way !== null) {
    const cycle = [caller, ...way].map(({ name }) => name).join(' -> ');
    throw invalid(`model '${caller.name}' cannot call model '${callee.name}', which would wait for it: ${cycle}`);
  }
  for (const other of called) if (other.isRetired && other.inFlight === 0) called.delete(other);
  called.add(callee);
}

/** `user` may need answers of `model` to give its own. A model whose code can call others may call any that calls none. */
export function mayWaitFor(user: ServedModel, model: ServedModel): boolean {
  if (user.steps.includes(model)) return true;
  if (user.called === null) return false;
  return user.called.has(model) || (model.called === null && model.steps.length === 0);
}

/** Who waits for whom, from one to the other, both included; null = nobody does. */
function wayBetween(from: ServedModel, to: ServedModel, seen: Set<ServedModel>): ServedModel[] | null {
  if (from === to) return [to];
  seen.add(from);
  for (const next of [...from.steps, ...(from.called ?? [])]) {
    const way = seen.has(next) ? null : wayBetween(next, to, seen);
    if (way !== null) return [from, ...way];
  }
  return null;
}
