import type { Random } from '../load/random.js';
import type { Channel, ChannelUser, Vanishing, Way } from '../sequences/channel.js';
import { GrpcChannel } from '../sequences/grpc-channel.js';
import { WsChannel } from '../sequences/ws-channel.js';
import { type Answer, readAnswer } from './answer.js';
import type { SequenceIds, SoakSequence } from './soak-sequence.js';
import { StepWriter } from './step-writer.js';
import type { Tally } from './tally.js';

const STEP_IDS = 100_000_000;
/** In each step. */
const RESTART_SHARE = 0.002;
const ABANDON_SHARE = 0.0005;
const CANCEL_SHARE = 0.001;
/** Of sequences that are followed by one with the same id at once. */
const SAME_ID_SHARE = 0.2;
/** Steps that a client that stops reading has sent for each sequence: over gRPC what fits into a window, over WebSocket into the bound of a connection. */
const UNREAD_STEPS = { grpc: 10, ws: 40 };
/** Without an answer. */
const PATIENCE_MS = 30_000;

/** One step without an answer, and what its answer has to be. */
interface Pending {
  readonly sequence: SoakSequence;
  readonly hash: number;
  readonly count: number;
  readonly sentMs: number;
  isCancelled: boolean;
}

/**
 * open: one step of each sequence is in flight. deaf: much is, and nothing is read. closing: half-closed, the rest is to be answered. away:
 * nobody is connected. done: after `stop`, all is answered.
 */
type State = 'open' | 'deaf' | 'closing' | 'away' | 'done';

/** What all clients of a soak share. */
export interface SoakSurroundings {
  readonly port: Readonly<Record<Way, number>>;
  readonly random: Random;
  readonly ids: SequenceIds;
  readonly tally: Tally;
}

/** A client with several sequences on one connection, which does everything that clients should not. */
export class SoakClient {
  readonly #way: Way;
  readonly #with: SoakSurroundings;
  readonly #writer: StepWriter;
  #channel: Channel | null = null;
  /** Of the channel: one that was given up may still have answers. */
  #user: ChannelUser | null = null;
  #state: State = 'away';
  /** When the state changes by itself. */
  #untilMs = 0;
  #sequences: SoakSequence[] = [];
  readonly #pending = new Map<number, Pending>();
  /** Answered in this turn. */
  #freed: SoakSequence[] = [];
  #nextStepId = 0;
  #isStopping = false;

  constructor(way: Way, sequences: number, surroundings: SoakSurroundings) {
    this.#way = way;
    this.#with = surroundings;
    this.#writer = new StepWriter(way);
    this.#sequences = Array.from({ length: sequences }, () => surroundings.ids.begin(0));
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  async open(): Promise<void> {
    const { port } = this.#with;
    const user: ChannelUser = {
      onAnswer: (bytes, start, end) => {
        if (this.#user === user) this.#onAnswer(bytes, start, end);
      },
      onTurn: () => {
        if (this.#user === user) this.#onTurn();
      },
    };
    const channel = await (this.#way === 'grpc'
      ? GrpcChannel.open(port.grpc, user)
      : WsChannel.open(port.ws, '/v2/models/soak/infer', user));
    // The end may have come in the meantime.
    if (this.#state === 'done') {
      channel.close();
      return;
    }
    this.#channel = channel;
    this.#user = user;
    channel.ended.then(
      () => this.#onEnded(channel),
      (error: Error) => this.#onFailed(channel, error),
    );
    this.#state = 'open';
    this.#untilMs = Date.now() + this.#with.random.between(2000, 8000);
    for (const sequence of [...this.#sequences]) this.#advance(sequence);
    this.#flush();
  }

  /** To be called often. */
  tick(nowMs: number): void {
    this.#checkPatience(nowMs);
    if (nowMs < this.#untilMs) return;
    this.#untilMs = Number.POSITIVE_INFINITY;
    if (this.#state === 'open') this.#misbehave(nowMs);
    else if (this.#state === 'deaf') this.#endDeafness();
    else if (this.#state === 'away') this.#comeBack();
  }

  /** Ends all sequences that are live, and goes. */
  stop(): void {
    this.#isStopping = true;
    if (this.#state === 'away' && this.#sequences.every(({ isBegun }) => !isBegun)) this.#state = 'done';
    if (this.#state === 'deaf') this.#hearAgain();
  }

  #onAnswer(bytes: Buffer, start: number, end: number): void {
    const answer = readAnswer(this.#way, bytes.subarray(start, end));
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) {
      this.#wrong(`an answer to nothing: ${JSON.stringify(answer)}`);
      return;
    }
    const isInOrder = this.#way === 'ws' || this.#pending.keys().next().value === answer.id;
    if (!isInOrder) this.#wrong(`the answer to step ${answer.id} overtook another`);
    this.#pending.delete(answer.id);
    this.#check(answer, pending);
    const { sequence } = pending;
    if (--sequence.outstanding === 0) this.#freed.push(sequence);
  }

  #onTurn(): void {
    const freed = this.#freed;
    this.#freed = [];
    if (this.#state === 'open') for (const sequence of freed) this.#advance(sequence);
    this.#flush();
    this.#leaveIfDone();
  }

  #check(answer: Answer, { sequence, hash, count, isCancelled }: Pending): void {
    const { tally } = this.#with;
    if (answer.error !== null) {
      tally.count(isCancelled ? 'answer: cancelled' : 'answer: error');
      if (!isCancelled) this.#wrong(`sequence ${sequence.id}: ${answer.error}`);
      return;
    }
    tally.count('answer: values');
    if (answer.hash === hash && answer.count === count && answer.sequenceId === sequence.id) return;
    const expected = `hash ${hash} after ${count} steps of sequence ${sequence.id}`;
    this.#wrong(`expected ${expected}, found ${JSON.stringify(answer)}`);
  }

  /** The next step of a sequence that has none in flight, or of the one that takes its place. */
  #advance(before: SoakSequence): void {
    const { ids, random, tally } = this.#with;
    if (before.isBegun && !before.isOver && !this.#isStopping && random.chance(ABANDON_SHARE)) {
      tally.count('sequence: abandoned');
      before.isOver = true;
      ids.leave(before.id, Date.now());
    }
    const sequence = before.isOver ? this.#replace(before) : before;
    if (sequence === null) return;
    const isLast = sequence.stepsLeft === 0 || this.#isStopping;
    const id = this.#addStep(sequence, isLast, false);
    if (this.#way === 'ws' && !isLast && random.chance(CANCEL_SHARE)) this.#cancel(id, sequence);
  }

  /** Null = there is to be no other. */
  #replace(over: SoakSequence): SoakSequence | null {
    const at = this.#sequences.indexOf(over);
    if (this.#isStopping) {
      this.#sequences.splice(at, 1);
      return null;
    }
    const { ids, random } = this.#with;
    const mayFollow = over.isEnded && random.chance(SAME_ID_SHARE);
    const sequence = mayFollow ? ids.follow(over) : ids.begin(Date.now());
    this.#sequences[at] = sequence;
    return sequence;
  }

  #addStep(sequence: SoakSequence, isLast: boolean, large: boolean): number {
    const { random, tally } = this.#with;
    const start = !sequence.isBegun || random.chance(RESTART_SHARE);
    if (!sequence.isBegun) tally.count('sequence: begun');
    else if (start) tally.count('sequence: begun anew in the middle');
    if (isLast) tally.count('sequence: END sent');
    sequence.isBegun = true;
    sequence.isOver = isLast;
    sequence.isEnded = isLast;
    sequence.stepsLeft = Math.max(0, sequence.stepsLeft - 1);
    sequence.outstanding++;
    const id = this.#nextStepId;
    this.#nextStepId = (id + 1) % STEP_IDS;
    const value = random.between(0, 1000);
    this.#writer.add({ start, end: isLast, large }, id, sequence.id, value);
    const expected = sequence.twin.step(value, start);
    this.#pending.set(id, { sequence, ...expected, sentMs: Date.now(), isCancelled: false });
    return id;
  }

  #cancel(id: number, sequence: SoakSequence): void {
    this.#with.tally.count('sequence: step cancelled');
    this.#flush();
    this.#pending.get(id)!.isCancelled = true;
    sequence.isOver = true;
    (this.#channel as WsChannel).sendText(JSON.stringify({ cancel: String(id).padStart(8, '0') }));
  }

  #flush(): void {
    const { count } = this.#writer;
    if (count > 0) this.#channel!.send(this.#writer.take(), count);
  }

  #misbehave(nowMs: number): void {
    if (this.#isStopping) return;
    const { random } = this.#with;
    const what = random.pick(['FIN', 'RST', 'half-close', 'deaf'] as const);
    if (what === 'FIN' || what === 'RST') this.#vanish(what, nowMs);
    else if (what === 'half-close') this.#halfClose(nowMs);
    else this.#stopReading(nowMs);
  }

  #vanish(how: Vanishing, nowMs: number): void {
    this.#with.tally.count(`client: vanished by ${how}`);
    this.#channel!.vanish(how);
    this.#goAway(nowMs);
  }

  /** What is in flight goes nowhere, and nobody goes on with what is live. */
  #goAway(nowMs: number): void {
    const { ids, random, tally } = this.#with;
    tally.count('answer: nobody there', this.#pending.size);
    this.#pending.clear();
    this.#freed = [];
    for (const sequence of this.#sequences) if (sequence.isBegun) ids.leave(sequence.id, nowMs);
    this.#sequences = this.#sequences.map(() => ids.begin(nowMs));
    this.#channel = null;
    this.#user = null;
    this.#state = 'away';
    this.#untilMs = nowMs + random.between(10, 500);
    if (this.#isStopping) this.#state = 'done';
  }

  /** gRPC: its sequences go on with the next connection. WebSocket: a close frame gives up what has no answer. */
  #halfClose(nowMs: number): void {
    this.#with.tally.count(`client: half-closed, ${this.#way}`);
    const channel = this.#channel!;
    channel.halfClose();
    if (this.#way === 'grpc') {
      this.#state = 'closing';
      return;
    }
    this.#goAway(nowMs);
    channel.ended.finally(() => channel.close()).catch(() => {});
  }

  #stopReading(nowMs: number): void {
    this.#with.tally.count('client: stopped reading');
    this.#channel!.pause();
    this.#state = 'deaf';
    this.#untilMs = nowMs + this.#with.random.between(500, 2000);
    for (const sequence of this.#sequences) {
      if (sequence.isOver) continue;
      for (let nth = 0; nth < UNREAD_STEPS[this.#way]; nth++) this.#addStep(sequence, false, true);
    }
    this.#flush();
  }

  #endDeafness(): void {
    if (this.#with.random.chance(0.3)) this.#vanish('RST', Date.now());
    else this.#hearAgain();
  }

  #hearAgain(): void {
    this.#state = 'open';
    this.#untilMs = Date.now() + this.#with.random.between(2000, 8000);
    this.#channel!.resume();
  }

  #comeBack(): void {
    this.open().catch((error: Error) => this.#wrong(error.message));
  }

  #leaveIfDone(): void {
    if (!this.#isStopping || this.#state !== 'open' || this.#sequences.length > 0 || this.#pending.size > 0) return;
    this.#state = 'closing';
    this.#channel!.halfClose();
  }

  #onEnded(channel: Channel): void {
    if (channel !== this.#channel) return;
    channel.close();
    this.#channel = null;
    if (this.#pending.size > 0) this.#wrong(`the stream ended before ${this.#pending.size} steps were answered`);
    this.#state = this.#isStopping && this.#sequences.length === 0 ? 'done' : 'away';
    this.#untilMs = 0;
  }

  #onFailed(channel: Channel, error: Error): void {
    if (channel === this.#channel) this.#wrong(error.message);
  }

  #checkPatience(nowMs: number): void {
    const oldest = this.#pending.values().next().value;
    if (oldest === undefined || nowMs - oldest.sentMs < PATIENCE_MS) return;
    this.#wrong(`a step of sequence ${oldest.sequence.id} has no answer after ${PATIENCE_MS} ms`);
  }

  #wrong(text: string): void {
    this.#with.tally.wrong(`${this.#way}: ${text}`);
  }
}
