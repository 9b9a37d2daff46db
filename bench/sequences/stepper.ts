import type { LoadCaller } from '../core/generated.js';
import type { Channel, ChannelUser } from './channel.js';
import { type GeneratorOrder, SEQUENCE_STEPS } from './generator-order.js';
import { GrpcChannel } from './grpc-channel.js';
import { FIRST_SEQUENCE_ID, readDigits, STEP_ID_DIGITS, StepTemplate } from './step-template.js';
import { WsChannel } from './ws-channel.js';

/** The id of a step is its place on the connection, and behind it its number. */
const STEPS_PER_PLACE = 100_000;
/** In front of each field of protobuf, which are short here. */
const TAG_BYTES = 2;

/** One sequence after another: which step of which is in flight. */
interface Place {
  readonly nth: number;
  sequenceId: number;
  /** Of the step in flight, from 1 on. */
  step: number;
  /** With which its sequence ends. */
  lastStep: number;
  /** Of the step in flight. */
  id: number;
  /** The last state, where the client carries it. */
  readonly state: Buffer;
}

/** The next sequence of the process: ids are not used twice. */
let nextSequenceId = FIRST_SEQUENCE_ID;

/** Where things lie in answers, all of which are as long as the first. */
interface AnswerForm {
  readonly length: number;
  readonly idAt: number;
  readonly firstOutputAt: number;
}

/** Keeps one step of each of its sequences in flight, each answer giving way to the next step, until `stop`. */
export class Stepper implements LoadCaller, ChannelUser {
  answered = 0;
  readonly #order: GeneratorOrder;
  readonly #first: StepTemplate;
  readonly #middle: StepTemplate;
  readonly #last: StepTemplate;
  readonly #stateBytes: number;
  #channel!: Channel;
  #places: Place[] = [];
  #form: AnswerForm | null = null;
  /** Answered in this turn. */
  #freed: Place[] = [];
  #steps = 0;
  #inFlight = 0;
  #isStopping = false;
  readonly #done: Promise<void>;
  #resolve!: () => void;

  private constructor(order: GeneratorOrder) {
    this.#order = order;
    const inputs = order.inputs.map(({ base64, ...tensor }) => ({ ...tensor, bytes: Buffer.from(base64, 'base64') }));
    const template = (start: boolean, end: boolean) => {
      const flags = order.state === 'server' ? { start, end } : null;
      return new StepTemplate(order.way, { model: order.model, flags, inputs, outputs: order.outputs });
    };
    this.#first = template(true, false);
    this.#middle = template(false, false);
    this.#last = template(false, true);
    this.#stateBytes = order.state === 'client' ? inputs.at(-1)!.bytes.length : 0;
    this.#done = new Promise((resolve) => (this.#resolve = resolve));
  }

  static async open(order: GeneratorOrder): Promise<Stepper> {
    const stepper = new Stepper(order);
    const path = `/v2/models/${order.model}/infer`;
    stepper.#channel = await (order.way === 'grpc'
      ? GrpcChannel.open(order.port, stepper)
      : WsChannel.open(order.port, path, stepper));
    return stepper;
  }

  get finished(): Promise<void> {
    return Promise.race([this.#done, this.#channel.ended]);
  }

  start(inFlight: number): void {
    this.#places = Array.from({ length: inFlight }, (_, nth) => this.#place(nth));
    this.#send(this.#places);
  }

  stop(): void {
    this.#isStopping = true;
  }

  close(): void {
    this.#channel.close();
  }

  onAnswer(bytes: Buffer, start: number, end: number): void {
    this.#form ??= this.#formOf(bytes, start, end);
    const { length, idAt, firstOutputAt } = this.#form;
    const id = end - start === length ? readDigits(bytes, start + idAt) : -1;
    const place = this.#places[Math.floor(id / STEPS_PER_PLACE)];
    if (place?.id !== id) throw new Error(`an answer is none of a step: ${bytes.toString('latin1', start, end)}`);
    place.id = -1;
    if (this.#stateBytes > 0) bytes.copy(place.state, 0, end - this.#stateBytes, end);
    if (place.step === place.lastStep) this.#check(place, bytes, start + firstOutputAt);
    this.#freed.push(place);
  }

  onTurn(): void {
    const freed = this.#freed;
    if (freed.length === 0) return;
    this.#freed = [];
    this.#inFlight -= freed.length;
    this.answered += freed.length;
    const going = this.#isStopping ? freed.filter((place) => this.#mustEnd(place)) : freed;
    if (going.length > 0) this.#send(going);
    else if (this.#inFlight === 0) this.#resolve();
  }

  #place(nth: number): Place {
    return { nth, sequenceId: 0, step: 0, lastStep: 0, id: -1, state: Buffer.alloc(this.#stateBytes) };
  }

  /** After `stop`: its sequence is live, and its next step shall be the last. */
  #mustEnd(place: Place): boolean {
    if (this.#order.state !== 'server' || place.step === place.lastStep) return false;
    place.lastStep = place.step + 1;
    return true;
  }

  #send(places: readonly Place[]): void {
    const size = Math.max(this.#first.length, this.#middle.length, this.#last.length);
    const steps = Buffer.allocUnsafe(places.length * size);
    let at = 0;
    for (const place of places) at = this.#write(place, steps, at);
    this.#inFlight += places.length;
    this.#channel.send(steps.subarray(0, at), places.length);
  }

  /** The next step of a place; the result is where it ends. */
  #write(place: Place, steps: Buffer, at: number): number {
    if (place.step === place.lastStep) this.#beginSequence(place);
    place.step++;
    place.id = place.nth * STEPS_PER_PLACE + (this.#steps++ % STEPS_PER_PLACE);
    const template = this.#templateOf(place);
    template.write(steps, at, place.id, place.sequenceId);
    const end = at + template.length;
    if (this.#stateBytes > 0) place.state.copy(steps, end - this.#stateBytes);
    return end;
  }

  #beginSequence(place: Place): void {
    // The first of each place is shorter, so that they do not all end at the same time.
    place.lastStep = place.sequenceId === 0 ? 2 + (place.nth % SEQUENCE_STEPS) : SEQUENCE_STEPS;
    place.sequenceId = nextSequenceId++;
    place.step = 0;
    place.state.fill(0);
  }

  #templateOf({ step, lastStep }: Place): StepTemplate {
    if (step === 1) return this.#first;
    return step === lastStep ? this.#last : this.#middle;
  }

  #check({ step }: Place, bytes: Buffer, at: number): void {
    const { first, state } = this.#order;
    const factor = state === 'none' ? 1 : step;
    const read = first.datatype === 'INT32' ? bytes.readInt32LE.bind(bytes) : bytes.readFloatLE.bind(bytes);
    const found = first.values.map((_, index) => read(at + 4 * index));
    if (found.some((value, index) => value !== factor * first.values[index]!))
      throw new Error(`step ${step} answered ${found.join(' ')}, expected ${factor} times ${first.values.join(' ')}`);
  }

  /** Of the first answer. Throws where it is an error. */
  #formOf(bytes: Buffer, start: number, end: number): AnswerForm {
    const { way, first, restBytes, outputs } = this.#order;
    const text = bytes.toString('latin1', start, end);
    const idAt = this.#places
      .map(({ id }) => text.indexOf(String(id).padStart(STEP_ID_DIGITS, '0')))
      .find((at) => at >= 0);
    const isAnswer = way === 'grpc' ? bytes[start] === 0x12 : text.includes('"model_name"');
    if (idAt === undefined || !isAnswer) throw new Error(`an answer failed: ${text}`);
    const tags = way === 'grpc' ? (outputs.length - 1) * TAG_BYTES : 0;
    // The server may write the id behind all.
    const tensorsEnd = start + idAt + STEP_ID_DIGITS === end ? idAt - TAG_BYTES : end - start;
    return { length: end - start, idAt, firstOutputAt: tensorsEnd - restBytes - tags - 4 * first.values.length };
  }
}
