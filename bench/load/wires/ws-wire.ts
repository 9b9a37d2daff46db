import type { PreparedRequest } from '../encode/prepared-request.js';
import { BadAnswer } from './failures.js';
import { SlotIds } from './slot-ids.js';
import { SocketWire } from './socket-wire.js';
import { stamp, stampedPieces } from './stamp.js';
import { TurnWriter } from './turn-writer.js';
import type { WireTarget, WireUser } from './wire.js';
import { WsAnswer } from './ws-answer.js';
import { controlFrame, FrameReader, type FramesUser, Opcode } from './ws-frames.js';
import { Upgrade } from './ws-upgrade.js';

/** Requests up to this size are copied to what is written at the end of the turn. */
const COPIED_BYTES_MAX = 16 * 1024;

/** A WebSocket that speaks `conch.v1`; ids tell whose answers come. */
export class WsWire extends SocketWire implements FramesUser {
  readonly #ids: SlotIds;
  readonly #read = new WsAnswer();
  #upgrade: Upgrade | null = null;
  #frames = new FrameReader(this);
  #writer: TurnWriter | null = null;
  #nowMs = 0;
  /** When the first byte came of a message that is not whole; 0 = there is none. */
  #beganMs = 0;

  constructor(target: WireTarget, user: WireUser) {
    super(target, user);
    this.#ids = new SlotIds(target.slots);
  }

  override onOpen(): void {
    this.#upgrade = new Upgrade();
    this.#frames = new FrameReader(this);
    this.#writer = new TurnWriter(this.link!);
    this.#beganMs = 0;
    this.link!.write(this.#upgrade.request(this.target));
  }

  onMessage(isText: boolean, bytes: Buffer, start: number, end: number): void {
    const read = this.#read;
    read.read(isText, bytes, start, end);
    const slot = read.id < 0 ? -1 : this.#ids.slotOf(read.id);
    if (slot >= 0 && this.isBusy(slot)) this.#answer(slot, bytes, end);
    else if (read.id < 0) {
      throw new BadAnswer(`an answer without the id of a request: ${read.failure?.message ?? 'it is no error'}`);
    }
  }

  onControl(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === Opcode.PING) this.#writer!.append(controlFrame(Opcode.PONG, bytes.subarray(start, end)));
    else if (opcode === Opcode.CLOSE) this.#onClose(bytes, start, end);
  }

  protected override receive(bytes: Buffer, start: number, end: number): void {
    this.#nowMs = performance.now();
    if (this.#upgrade !== null) this.#receiveUpgrade(this.#upgrade, bytes, start, end);
    else this.#feed(bytes, start, end);
  }

  protected override transmit(slot: number, request: PreparedRequest, sequenceId: number): void {
    const id = this.#ids.take(slot);
    const writer = this.#writer!;
    const count = request.bytes.length;
    if (count > COPIED_BYTES_MAX) {
      for (const piece of stampedPieces(request, id, sequenceId)) writer.lend(piece);
      return;
    }
    const at = writer.reserve(count);
    request.bytes.copy(writer.block, at);
    stamp(writer.block, at, request, id, sequenceId);
  }

  protected override disconnect(): void {
    super.disconnect();
    this.#frames.stop();
  }

  #receiveUpgrade(upgrade: Upgrade, bytes: Buffer, start: number, end: number): void {
    const rest = upgrade.receive(bytes, start, end);
    if (rest === null) return;
    if (!Buffer.isBuffer(rest)) {
      this.fail(rest);
      return;
    }
    this.#upgrade = null;
    this.becomeReady();
    if (rest.length > 0) this.#feed(rest, 0, rest.length);
  }

  #feed(bytes: Buffer, start: number, end: number): void {
    const frames = this.#frames;
    frames.feed(bytes, start, end);
    if (!frames.isWithin) this.#beganMs = 0;
    else if (this.#beganMs === 0) this.#beganMs = this.#nowMs;
  }

  #answer(slot: number, bytes: Buffer, end: number): void {
    const { answer } = this;
    const { failure } = this.#read;
    if (failure !== null) this.setFailure(failure);
    else this.#setAnswer(bytes, end);
    answer.firstByteMs = this.#beganMs === 0 ? this.#nowMs : this.#beganMs;
    this.#beganMs = 0;
    this.deliver(slot);
  }

  #setAnswer(bytes: Buffer, end: number): void {
    const { answer } = this;
    const read = this.#read;
    const { isDecoupled } = this.target;
    answer.isFinal = !isDecoupled || read.isFinal(bytes, end);
    answer.isEmpty = isDecoupled && answer.isFinal && read.isEmpty(bytes, end);
    answer.failure = null;
    answer.bytes = bytes;
    answer.start = read.start;
    answer.end = end;
    answer.jsonBytes = read.jsonBytes;
  }

  #onClose(bytes: Buffer, start: number, end: number): void {
    const hasCode = end - start >= 2;
    const code = hasCode ? bytes.readUInt16BE(start) : 1005;
    const reason = hasCode ? bytes.toString('utf8', start + 2, end) : '';
    this.link!.write(controlFrame(Opcode.CLOSE, bytes.subarray(start, Math.min(end, start + 2))));
    this.fail({ kind: 'connection closed', message: `the server closed the WebSocket: ${code} ${reason}`.trim() });
  }
}
