import type { InferResponse } from '../core/infer-response.js';
import type { ClientRegions } from '../core/regions/client-regions.js';
import { admitWithRegions } from '../core/regions/region-request.js';
import type { ServedModel } from '../core/served-model.js';
import type { ParameterValue } from '../types/infer.js';
import { idOf, type PreparedHead, planWithId, sequenceOf } from './head-cache.js';
import { type ForwardedHeaders, planWithHeaders } from './header-forward.js';
import { buildReply, type InferReply } from './infer-reply.js';
import { Inference } from './inference.js';
import type { JsonPool } from './json-pool.js';
import { jsonTensorBytes, readJsonTensor } from './json-tensor.js';
import { hasLargeJson, readLargeJson, writeLargeJson } from './large-json.js';
import type { ReplySink } from './prepared-reply.js';
import { Scatter } from './scatter.js';

/**
 * One inference whose request is a JSON head with tensors behind it, and its answer likewise: what HTTP and WebSocket have in common.
 * Reused from request to request by those who extend it.
 */
export abstract class BodyInfer extends Inference implements ReplySink {
  protected model!: ServedModel;
  protected prepared: PreparedHead | null = null;
  /** '' = none. */
  protected id = '';
  /** Null = none. */
  protected forwarded: ForwardedHeaders | null = null;
  /** Grows with each use, so that an answer of another thread for an earlier one is known as such. */
  protected use = 0;
  protected readonly scatter = new Scatter();
  readonly #pool: JsonPool;
  readonly #regions: ClientRegions;

  constructor(pool: JsonPool, regions: ClientRegions) {
    super();
    this.#pool = pool;
    this.#regions = regions;
  }

  abstract sendText(text: Uint8Array): void;
  abstract sendTensors(headBytes: number, bytes: Uint8Array): void;
  abstract sendViews(headBytes: number, parts: readonly Uint8Array[]): void;

  /** What lies behind the head, `bytes` bytes, must be what the head says. */
  protected abstract checkRest(prepared: PreparedHead, bytes: number): void;
  /** It cannot be answered as it should be. */
  protected abstract fail(error: unknown): void;
  /** An answer that another thread has written: its bytes are nobody else's. */
  protected abstract onWritten(reply: InferReply): void;

  /** Takes a whole body, whose tensors begin at `headEnd`. */
  protected takeComplete(prepared: PreparedHead, body: Buffer, headEnd: number): void {
    this.checkRest(prepared, body.length - headEnd);
    this.admit(prepared, body);
    this.scatter.begin(this.request!, prepared);
    this.scatter.write(body, headEnd);
    this.readJson(prepared, body);
    this.submit();
  }

  /** The same for JSON that is worth a thread. The client may go meanwhile: what comes then is nobody's. */
  protected async takeLarge(body: Buffer, headBytes: number): Promise<void> {
    const { use } = this;
    // The body may be gone when it is asked.
    const rest = body.length - headBytes;
    const check = (prepared: PreparedHead) => this.checkRest(prepared, rest);
    try {
      const parts = { pool: this.#pool, regions: this.#regions, forwarded: this.forwarded };
      const large = await readLargeJson(parts, this.model, body, headBytes, check, this);
      if (use !== this.use) {
        large.request.abandon();
        return;
      }
      this.prepared = large.prepared;
      this.id = large.prepared.plan.head.id;
      this.request = large.request;
      this.submit();
    } catch (error) {
      if (use === this.use) this.fail(error);
    }
  }

  /** Takes memory for its tensors. */
  protected admit(prepared: PreparedHead, body: Buffer): void {
    this.prepared = prepared;
    this.id = idOf(prepared, body);
    const plan = planWithHeaders(this.model, planWithId(prepared, this.id), this.forwarded);
    const sizes = sizesOf(prepared, body);
    this.request = admitWithRegions(this.#regions, this.model, plan, sizes, this, sequenceOf(prepared, body));
  }

  protected readJson(prepared: PreparedHead, body: Buffer): void {
    const { plan, ranges, binaryBytes } = prepared;
    if (ranges.length === 0) return;
    let range = 0;
    for (let nth = 0; nth < binaryBytes.length; nth++) {
      if (binaryBytes[nth]! >= 0) continue;
      const { head, datatype, elements } = plan.inputs[nth]!;
      const { bytes } = this.model.arena;
      readJsonTensor(body, ranges[range++]!, head.name, datatype, elements, bytes, this.request!.inputBegin(nth));
    }
  }

  protected submit(): void {
    this.submitAs(this.id);
  }

  /** True = the answer was prepared and is sent; false = it must be built. */
  protected sendPrepared(response: InferResponse): boolean {
    const { reply } = this.prepared!;
    // Another model may have answered in its place.
    if (reply === null || response.model !== this.model) return false;
    if (reply.send(this, response, this.id)) this.releaseResponse();
    return true;
  }

  protected build(response: InferResponse): InferReply {
    const prepared = response.model === this.model ? this.prepared : null;
    return buildReply(response, prepared, this.id, this.parametersOf(response));
  }

  /** What stands in the answer beside its outputs; null = nothing. */
  protected parametersOf(response: InferResponse): ReadonlyMap<string, ParameterValue> | null {
    return response.parameters;
  }

  /** True = another thread writes the answer, and `onWritten` or `fail` follows unless this is used for something else by then. */
  protected writesLarge(response: InferResponse): boolean {
    if (!hasLargeJson(response)) return false;
    void this.#writeLarge(response);
    return true;
  }

  /** Another thread reads the outputs: they are released when it has, also where the client is gone by then. */
  async #writeLarge(response: InferResponse): Promise<void> {
    const { use } = this;
    this.response = null;
    try {
      const reply = await writeLargeJson(this.#pool, response, this.id, this.parametersOf(response));
      if (use === this.use) this.onWritten(reply);
    } catch (error) {
      if (use === this.use) this.fail(error);
    } finally {
      response.release();
    }
  }
}

/** Bytes that each input takes in memory: its size behind the head or in shared memory, its fixed size, or what its JSON strings need. */
function sizesOf(prepared: PreparedHead, body: Buffer): readonly number[] {
  if (!prepared.plan.usesRegions && prepared.binaryBytes.every((bytes) => bytes >= 0)) return prepared.binaryBytes;
  return prepared.plan.inputs.map(({ head, bytes }) => {
    if (head.source.kind !== 'json') return head.source.byteSize;
    return bytes >= 0 ? bytes : jsonTensorBytes(body, head.source, head.name);
  });
}
