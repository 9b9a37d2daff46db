import type { AnswerError } from '../../src/backends/channel-protocol.js';
import { monotonicUs } from '../../src/base/clock.js';
import { ABSENT, lineOf, tableBytes, writeLine } from '../../src/memory/layout.js';
import type { AnswerChannel, AnswerListener } from './answer-channel.js';
import type { Answer } from './model-api.js';
import type { CheckedOutput, OutputMaker } from './output-maker.js';

/** What any element is aligned to. */
const ALIGN = 8;

/** Memory for one answer. */
interface Grant {
  readonly offset: number;
  readonly bytes: number;
}

/** An answer that can be written. */
interface CheckedAnswer {
  readonly outputs: readonly CheckedOutput[];
  /** What is said beside them, as JSON. */
  readonly note: Uint8Array;
  /** With the table in front. */
  readonly bytes: number;
  readonly isFinal: boolean;
  readonly inferUs: number;
}

/** What the streams of an instance share. */
export interface StreamTools {
  readonly channel: AnswerChannel;
  readonly maker: OutputMaker;
  readonly arena: Uint8Array;
  readonly table: Float64Array;
}

/** Whose answers they are. */
export interface StreamOwner {
  readonly key: number;
  readonly rows: number;
  readonly requestedOutputs: readonly string[];
  onCancelled(): void;
}

/** The answers of one request of a decoupled model. Each is written to memory that the main thread grants, one after the other. */
export class AnswerStream implements AnswerListener {
  /** Nothing follows: the request is not to be looked at any more. */
  isEnded = false;
  readonly #tools: StreamTools;
  readonly #owner: StreamOwner;
  /** Granted before it was asked for. */
  #held: Grant | null = null;
  /** The answer that waits for its memory. */
  #waiting: { readonly bytes: number; readonly resolve: (grant: Grant | null) => void } | null = null;
  /** Answers that are not on their way yet. */
  #queued = 0;
  #tail: Promise<unknown> = Promise.resolve();
  /** The last one is in the queue. */
  #isClosing = false;
  #isCancelled = false;
  #isExecuted = false;
  #startUs = monotonicUs();

  constructor(tools: StreamTools, owner: StreamOwner) {
    this.#tools = tools;
    this.#owner = owner;
    tools.channel.listen(owner.key, this);
  }

  /** False = nobody waits for it any more. Rejects where the answer is none that the model may give, or there is no memory for it. */
  async respond(answer: Answer): Promise<boolean> {
    if (this.#isCancelled) return false;
    if (this.#isClosing) throw new Error('the request has ended: nothing can follow its last answer');
    const checked = this.#check(answer);
    this.#isClosing = checked.isFinal;
    return this.#inTurn(() => this.#send(checked));
  }

  /** @param error what the request fails with; null = all was said */
  async end(error: AnswerError | null): Promise<void> {
    if (this.#isClosing || this.isEnded) return;
    this.#isClosing = true;
    await this.#inTurn(async () => this.#close(error));
  }

  /** Nothing follows but another run of its request, which has a stream of its own. Throws where the last answer was given. */
  again(): void {
    if (this.#isCancelled) return;
    if (this.#isClosing) throw new Error('the request has ended: it cannot run again after its last answer');
    this.#isClosing = true;
    void this.#inTurn(async () => this.#leave());
  }

  /** Its batch is over. */
  executed(): void {
    this.#isExecuted = true;
    if (this.#isCancelled) this.#close(null);
  }

  onGrant(offset: number, bytes: number): void {
    const grant = { offset, bytes };
    const waiting = this.#waiting;
    if (waiting === null) this.#held = grant;
    else if (bytes > 0 && bytes < waiting.bytes) this.#ask(waiting.bytes, true);
    else this.#resolve(grant);
  }

  onCancelled(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#owner.onCancelled();
    this.#resolve(null);
    if (this.#isExecuted) this.#close(null);
  }

  /** Runs what is asked for one after the other; at once where nothing waits. */
  #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const isFirst = this.#queued++ === 0;
    const done = (isFirst ? run() : this.#tail.then(run)).finally(() => this.#queued--);
    this.#tail = done.catch(() => {});
    return done;
  }

  async #send(answer: CheckedAnswer): Promise<boolean> {
    const grant = this.#isCancelled ? null : (this.#take(answer.bytes) ?? (await this.#wait(answer.bytes)));
    if (grant === null || this.isEnded) return false;
    if (grant.bytes === 0) {
      this.#isClosing = false;
      throw Object.assign(new Error('no tensor memory is left for an answer'), { code: 'RESOURCE_EXHAUSTED' });
    }
    this.#write(answer, grant);
    const endUs = monotonicUs();
    const times = { startUs: this.#startUs, inferUs: answer.inferUs, endUs };
    this.#startUs = endUs;
    this.#tools.channel.tell({ kind: 'answer', key: this.#owner.key, isFinal: answer.isFinal, times });
    if (answer.isFinal) this.#forget();
    return true;
  }

  #take(bytes: number): Grant | null {
    const held = this.#held;
    if (held === null || held.bytes < bytes) return null;
    this.#held = null;
    return held;
  }

  #wait(bytes: number): Promise<Grant | null> {
    const isReturned = this.#held !== null;
    this.#held = null;
    return new Promise((resolve) => {
      this.#waiting = { bytes, resolve };
      this.#ask(bytes, isReturned);
    });
  }

  #ask(bytes: number, isReturned: boolean): void {
    this.#tools.channel.tell({ kind: 'ask', key: this.#owner.key, bytes, isReturned });
  }

  #resolve(grant: Grant | null): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(grant);
  }

  #close(error: AnswerError | null): void {
    if (this.isEnded) return;
    this.#tools.channel.tell({ kind: 'end', key: this.#owner.key, error });
    this.#forget();
  }

  #leave(): void {
    if (this.isEnded || this.#isCancelled) return;
    this.#tools.channel.tell({ kind: 'again', key: this.#owner.key });
    this.#forget();
  }

  #forget(): void {
    this.isEnded = true;
    this.#isClosing = true;
    this.#tools.channel.forget(this.#owner.key);
  }

  #check({ outputs = {}, parameters, isFinal = false }: Answer): CheckedAnswer {
    const { maker } = this.#tools;
    const wanted = new Set(this.#owner.requestedOutputs);
    const checked = Object.entries(outputs)
      .map(([name, { shape, data }]) => maker.check(this.#owner.rows, name, shape, data))
      .filter(({ index }) => wanted.has(maker.names[index]!));
    const note = Buffer.from(parameters === undefined ? '' : JSON.stringify({ parameters }));
    let bytes = tableBytes(maker.names.length + 1, 0);
    for (const output of checked) bytes = align(bytes) + output.bytes;
    return { outputs: checked, note, bytes: bytes + note.length, isFinal, inferUs: monotonicUs() };
  }

  #write({ outputs, note }: CheckedAnswer, { offset }: Grant): void {
    const { maker, arena, table } = this.#tools;
    const count = maker.names.length;
    let begin = tableBytes(count + 1, 0);
    for (let index = 0; index < count; index++) writeLine(table, lineOf(offset, index), ABSENT, 0, []);
    for (const output of outputs) {
      begin = align(begin);
      maker.write(output, arena.subarray(offset + begin, offset + begin + output.bytes));
      writeLine(table, lineOf(offset, output.index), begin, output.bytes, output.dims);
      begin += output.bytes;
    }
    arena.set(note, offset + begin);
    writeLine(table, lineOf(offset, count), note.length === 0 ? ABSENT : begin, note.length, []);
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}
