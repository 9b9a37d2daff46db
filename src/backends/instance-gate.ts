import type { CallReply } from './call-protocol.js';
import type { CallSession, Instance } from './instance.js';
import type { InstanceSpec } from './instance-spec.js';

/** Decides which instances may begin batches where they share what there is not enough of for all of them. */
export interface Gatekeeper {
  /**
   * A gate for each of these; null = it needs none. Throws INVALID_ARGUMENT where one could never open: none is made then.
   */
  gatesFor(specs: readonly InstanceSpec[], owner: GateOwner): (InstanceGate | null)[];
}

/** Whose instances stand behind gates. */
export interface GateOwner {
  /** An instance that waited may begin a batch, until this returns. */
  onAdmitted(): void;
  /** Requests wait for an instance. */
  hasWork(): boolean;
}

/** Stands before one place of a group through all lives of its instance. */
export interface InstanceGate {
  /** A new life: what its scheduler sees of it. */
  guard(instance: Instance): Instance;
  /** Its batch is over. */
  onBatchEnded(): void;
  /** Its life is over, and whatever it ran. */
  onGone(): void;
  /** As of `InstanceEvents`. */
  onStalled(isStalled: boolean): void;
  /** Its code calls other models, by a session that `open` makes. */
  openCalls(
    open: (post: (replies: readonly CallReply[]) => void) => CallSession,
    post: (replies: readonly CallReply[]) => void,
  ): CallSession;
  /** The place is no more. To be called as often as one likes. */
  close(): void;
}
