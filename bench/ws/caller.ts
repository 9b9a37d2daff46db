import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { GeneratorOrder } from './generator-order.js';
import { httpRequest, RequestTemplate, upgradeRequest, webSocketFrame } from './request-template.js';

/** How the first answer is read; all others have its length and begin as it does. */
interface AnswerForm {
  /** Bytes that all answers begin with. */
  readonly startBytes: number;
  /** Bytes of the answer that begins at `at`; 0 = there are not enough to tell. Throws where it is an error. */
  length(bytes: Buffer, at: number): number;
}

const headEnd = Buffer.from('\r\n\r\n');

const httpAnswers: AnswerForm = {
  startBytes: 'HTTP/1.1 200'.length,
  length(bytes, at) {
    const end = bytes.indexOf(headEnd, at);
    if (end < 0) return 0;
    const head = bytes.toString('latin1', at, end);
    const length = /^HTTP\/1\.1 200 .*\r\ncontent-length: (\d+)/is.exec(head)?.[1];
    if (length === undefined) throw new Error(`an answer failed: ${bytes.toString('latin1', at)}`);
    return end + headEnd.length - at + Number(length);
  },
};

/** One frame each, of 126 to 65535 bytes, which an error is not: it has no model. */
const webSocketAnswers: AnswerForm = {
  startBytes: 4,
  length(bytes, at) {
    if (bytes.length - at < 126) return 0;
    const isWhole = (bytes[at]! & 0xf0) === 0x80 && bytes[at + 1] === 126;
    if (!isWhole || !bytes.includes('"model_name"', at))
      throw new Error(`an answer failed: ${bytes.toString('latin1', at)}`);
    return 4 + bytes.readUInt16BE(at + 2);
  },
};

/** Keeps requests in flight on one connection, each answer giving way to the next, until `stop`. */
export class Caller {
  answered = 0;
  readonly finished: Promise<void>;
  readonly #socket: Socket;
  readonly #template: RequestTemplate;
  readonly #form: AnswerForm;
  /** Of one answer, and what it begins with; 0 = not known yet. */
  #answerBytes = 0;
  readonly #answerStart = new Uint8Array(16);
  /** Of those that came: the beginning of the first that is not whole. */
  #rest: Buffer = Buffer.alloc(0);
  /** What is still to come of an answer whose length is known. */
  #missing = 0;
  #inFlight = 0;
  #sent = 0;
  #isStopping = false;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  private constructor(socket: Socket, template: RequestTemplate, form: AnswerForm) {
    this.#socket = socket;
    this.#template = template;
    this.#form = form;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.finished.catch(() => {});
    socket.on('error', this.#reject);
    socket.on('close', () => this.#reject(new Error('the server closed the connection')));
  }

  static async open({ way, port, path, headBytes, bodyBase64 }: GeneratorOrder): Promise<Caller> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const body = Buffer.from(bodyBase64, 'base64');
    if (way === 'http') return new Caller(socket, new RequestTemplate(httpRequest(path, headBytes, body)), httpAnswers);
    socket.write(upgradeRequest(path));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.toString().startsWith('HTTP/1.1 101')) throw new Error(`no WebSocket: ${answer}`);
    return new Caller(socket, new RequestTemplate(webSocketFrame(headBytes, body)), webSocketAnswers);
  }

  start(inFlight: number): void {
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        this.#take(chunk);
      } catch (error) {
        this.#reject(error as Error);
      }
    });
    this.#send(inFlight);
  }

  stop(): void {
    this.#isStopping = true;
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #send(count: number): void {
    this.#socket.write(this.#template.repeat(count, this.#sent));
    this.#sent += count;
    this.#inFlight += count;
  }

  #take(chunk: Buffer): void {
    const count = this.#count(chunk);
    this.answered += count;
    this.#inFlight -= count;
    if (this.#isStopping) {
      if (this.#inFlight === 0) this.#resolve();
    } else if (count > 0) {
      this.#send(count);
    }
  }

  /** Answers that end in this chunk. */
  #count(chunk: Buffer): number {
    let count = 0;
    let bytes = chunk;
    let at = 0;
    if (this.#rest.length > 0) {
      bytes = Buffer.concat([this.#rest, chunk]);
      this.#rest = bytes.subarray(0, 0);
    }
    while (at < bytes.length) {
      if (this.#missing === 0) {
        this.#missing = this.#lengthAt(bytes, at);
        if (this.#missing === 0) {
          this.#rest = Buffer.from(bytes.subarray(at));
          break;
        }
      }
      const taken = Math.min(this.#missing, bytes.length - at);
      at += taken;
      this.#missing -= taken;
      if (this.#missing === 0) count++;
    }
    return count;
  }

  /** 0 = it cannot be told yet. Throws for an answer that is not like the first. */
  #lengthAt(bytes: Buffer, at: number): number {
    const { startBytes } = this.#form;
    if (bytes.length - at < startBytes) return 0;
    if (this.#answerBytes === 0) {
      this.#answerBytes = this.#form.length(bytes, at);
      this.#answerStart.set(bytes.subarray(at, at + startBytes));
    }
    for (let index = 0; index < startBytes; index++) {
      if (bytes[at + index] !== this.#answerStart[index])
        throw new Error(`an answer is not like the first: ${bytes.toString('latin1', at)}`);
    }
    return this.#answerBytes;
  }
}
