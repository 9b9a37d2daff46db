import type { AcceptedRequest, Responder } from '../core/infer-response.js';
import type { ClientRegions } from '../core/regions/client-regions.js';
import { admitWithRegions } from '../core/regions/region-request.js';
import { SettledInference } from './inference.js';
import { checkBlocks, type V1Plan } from './v1-plan.js';
import { NO_PARTICULARS, SEQUENCE_END, SEQUENCE_START, type V1Particulars } from './v1-request.js';
import type { V1Server } from './v1-server.js';

/** One inference of V1, whatever it comes over. */
export abstract class V1Task extends SettledInference {
  protected plan: V1Plan | null = null;
  protected particulars: V1Particulars = NO_PARTICULARS;
  protected readonly v1: V1Server;

  constructor(v1: V1Server) {
    super();
    this.v1 = v1;
  }

  /** Takes memory for its tensors. Throws as `admitV1`. */
  protected admit(plan: V1Plan, particulars: V1Particulars): AcceptedRequest {
    this.plan = plan;
    this.particulars = particulars;
    this.request = admitV1(this.v1.server.regions, plan, particulars, this);
    return this.request;
  }

  /** Its tensors are in place. Throws what only they tell. */
  protected submit(): void {
    this.submitAs(idText(this.particulars));
  }

  protected override clear(): void {
    super.clear();
    this.plan = null;
    this.particulars = NO_PARTICULARS;
  }
}

/** A request in its model. Throws what `admitWithRegions` throws, NOT_FOUND for unknown regions. */
export function admitV1(
  regions: ClientRegions,
  plan: V1Plan,
  particulars: V1Particulars,
  responder: Responder,
): AcceptedRequest {
  checkBlocks({ regions }, plan);
  const { correlationId, flags } = particulars;
  const sequence = {
    sequenceId: correlationId,
    sequenceStart: (flags & SEQUENCE_START) !== 0,
    sequenceEnd: (flags & SEQUENCE_END) !== 0,
  };
  return admitWithRegions(regions, plan.model, planWithId(plan, particulars), plan.sizes, responder, sequence);
}

/** '' = none. */
export function idText({ id }: V1Particulars): string {
  return id === 0 ? '' : String(id);
}

function planWithId({ plan }: V1Plan, particulars: V1Particulars): V1Plan['plan'] {
  if (!plan.isPerId) return plan;
  const id = idText(particulars);
  return id === plan.head.id ? plan : { ...plan, head: { ...plan.head, id } };
}
