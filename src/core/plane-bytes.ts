import type { Arena, SlotOwner } from '../memory/arena.js';
import type { PlaneBytes } from '../telemetry/plane-metrics.js';
import type { ServedModel } from './served-model.js';

/** What each of these models has of the arena now, in their order: all slots are looked at, once. */
export function planeBytes(models: readonly Pick<ServedModel, 'arena' | 'tensors' | 'planes'>[]): PlaneBytes[] {
  const arena = models[0]?.arena;
  const found = arena === undefined ? new Map<SlotOwner, OwnedBytes>() : bytesByOwner(arena);
  return models.map(({ tensors: { owners }, planes }) => {
    const input = found.get(owners.input) ?? NOTHING;
    const output = found.get(owners.output) ?? NOTHING;
    const idle = planes?.idleBytes ?? 0;
    return {
      input: { inUse: input.unread + input.read - idle, reserved: idle },
      output: { inUse: output.read, reserved: output.unread },
    };
  });
}

interface OwnedBytes {
  /** Of slots with readers: outputs of batches that have ended. */
  read: number;
  unread: number;
}

const NOTHING: OwnedBytes = { read: 0, unread: 0 };

function bytesByOwner(arena: Arena): Map<SlotOwner, OwnedBytes> {
  const found = new Map<SlotOwner, OwnedBytes>();
  for (const { owner, bytes, readers } of arena.owned()) {
    const of = found.get(owner) ?? { read: 0, unread: 0 };
    found.set(owner, of);
    if (readers > 0) of.read += bytes;
    else of.unread += bytes;
  }
  return found;
}
