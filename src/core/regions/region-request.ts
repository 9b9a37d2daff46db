import { asServerError, invalid, ServerError } from '../../types/errors.js';
import type { RegionRange, SequenceFlags } from '../../types/infer.js';
import type { InferPlan } from '../check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from '../infer-response.js';
import { RelayedRequest } from '../relayed-request.js';
import type { ServedModel } from '../served-model.js';
import type { ClientRegions } from './client-regions.js';
import type { Region } from './region.js';

/** As `ServedModel.admit`, also for a request with tensors in regions of its client. Throws what `ClientRegions.hold` throws too. */
export function admitWithRegions(
  regions: ClientRegions,
  model: ServedModel,
  plan: InferPlan,
  sizes: readonly number[],
  responder: Responder,
  sequence?: SequenceFlags,
): AcceptedRequest {
  if (!plan.usesRegions) return model.admit(plan, sizes, responder, sequence);
  const request = new RegionRequest(regions, plan, responder);
  request.admit(model, sizes, sequence);
  return request;
}

/** A tensor of a request, by its place in the plan, and the region that it lies in. */
interface RegionTensor {
  readonly nth: number;
  readonly name: string;
  readonly range: RegionRange;
  readonly region: Region;
}

/**
 * A request with tensors in regions, between protocol and model. Inputs are read when it is submitted, outputs are written before its
 * responder sees the answer, and in between no region goes away.
 */
class RegionRequest extends RelayedRequest implements Responder {
  readonly #plan: InferPlan;
  readonly #regions: ClientRegions;
  readonly #responder: Responder;
  readonly #inputs: RegionTensor[] = [];
  readonly #outputs: RegionTensor[] = [];
  #isOver = false;

  constructor(regions: ClientRegions, plan: InferPlan, responder: Responder) {
    super();
    this.#regions = regions;
    this.#plan = plan;
    this.#responder = responder;
  }

  admit(model: ServedModel, sizes: readonly number[], sequence: SequenceFlags | undefined): void {
    try {
      this.#holdRegions();
      this.request = model.admit(this.#plan, sizes, this, sequence);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  submit(): void {
    try {
      for (const input of this.#inputs) this.#read(input);
    } catch (error) {
      this.abandon();
      throw error;
    }
    try {
      this.request.submit();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  abandon(): void {
    this.#end();
    this.request.abandon();
  }

  cancel(): void {
    this.#end();
    this.request.cancel();
  }

  onResponse(response: InferResponse): void {
    try {
      if (!response.isEmpty) for (const output of this.#outputs) write(output, response);
    } catch (error) {
      this.#refuse(response, error);
      return;
    }
    if (response.isFinal) this.#end();
    this.#responder.onResponse(response);
  }

  onError(error: ServerError): void {
    this.#end();
    this.#responder.onError(error);
  }

  /** Only models that answer any number of times ask, and all that may be asked for those can say it. */
  onStalled(): boolean {
    return this.#responder.onStalled?.() ?? false;
  }

  /** An answer has no place: it is the last. */
  #refuse(response: InferResponse, error: unknown): void {
    const { isFinal } = response;
    response.release();
    this.#end();
    if (!isFinal) this.request.cancel();
    this.#responder.onError(asServerError(error));
  }

  #holdRegions(): void {
    const { inputs, outputs, head } = this.#plan;
    for (let nth = 0; nth < inputs.length; nth++) {
      const { name, source } = inputs[nth]!.head;
      if (source.kind === 'shared') this.#inputs.push(this.#hold(nth, name, source));
    }
    // Those that are asked for by name alone can have a place.
    if (head.outputs.length === 0) return;
    for (let nth = 0; nth < outputs.length; nth++) {
      const { name, shared } = head.outputs[nth]!;
      if (shared !== null) this.#outputs.push(this.#hold(nth, name, shared));
    }
  }

  #hold(nth: number, name: string, range: RegionRange): RegionTensor {
    return { nth, name, range, region: this.#regions.hold(range) };
  }

  #read({ nth, name, range, region }: RegionTensor): void {
    const { bytes } = this.model.arena;
    if (region.read(range.offset, range.byteSize, bytes, this.inputBegin(nth))) return;
    throw cutOff(range, `holds input '${name}'`);
  }

  /** Once. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const { region } of this.#inputs) this.#regions.letGo(region);
    for (const { region } of this.#outputs) this.#regions.letGo(region);
  }
}

function write({ nth, name, range, region }: RegionTensor, response: InferResponse): void {
  if (!response.hasOutput(nth)) return;
  const bytes = response.outputBytes(nth);
  if (bytes > range.byteSize) {
    throw new ServerError(
      'INTERNAL',
      `shared memory size specified with the request for output '${name}' (${range.byteSize} bytes) should be at least ${bytes} bytes to hold the results`,
    );
  }
  if (region.write(range.offset, bytes, response.model.arena.bytes, response.outputBegin(nth))) return;
  throw cutOff(range, `has room for output '${name}'`);
}

function cutOff({ region }: RegionRange, purpose: string): ServerError {
  return invalid(
    `shared memory region '${region}' has become shorter than it was registered, and no longer ${purpose}`,
  );
}
