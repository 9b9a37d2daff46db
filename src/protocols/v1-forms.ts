import type { ServedModel } from '../core/served-model.js';
import { planV1, type V1Plan } from './v1-plan.js';
import type { V1Form, V1Particulars } from './v1-request.js';

/** Longer heads are read each time: they are rare, and would fill the memory. */
const LONGEST_REMEMBERED = 4096;
const REMEMBERED_FORMS = 64;

/** Forms repeat from request to request, so one is read and checked once per model version. The plans of each go with the model. */
export class V1Forms {
  readonly #plans = new WeakMap<ServedModel, Map<string, V1Plan>>();

  /** Null = it is not known. @param key of the form; '' = it has none */
  known(model: ServedModel, key: string, particulars: V1Particulars): V1Plan | null {
    if (key === '') return null;
    return this.#plans.get(model)?.get(key + kindOf(particulars)) ?? null;
  }

  /** Throws as `planV1`. */
  plan(model: ServedModel, key: string, form: V1Form, particulars: V1Particulars): V1Plan {
    const plan = planV1(model, form, particulars);
    if (key !== '' && key.length <= LONGEST_REMEMBERED) this.#remember(model, key + kindOf(particulars), plan);
    return plan;
  }

  #remember(model: ServedModel, key: string, plan: V1Plan): void {
    let plans = this.#plans.get(model);
    if (plans === undefined) {
      plans = new Map();
      this.#plans.set(model, plans);
    }
    if (plans.size >= REMEMBERED_FORMS) plans.clear();
    plans.set(key, plan);
  }
}

/** Plans know flags, and whether there is a sequence at all; '' = neither. */
function kindOf({ correlationId, flags }: V1Particulars): string {
  return correlationId === 0 && flags === 0 ? '' : `|${flags}${correlationId === 0 ? '' : 's'}`;
}
