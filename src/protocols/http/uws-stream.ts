import type { HttpResponse } from 'uWebSockets.js';
import { StreamedBody } from '../../transport/http1/streamed-body.js';
import { UNSENT_BYTES_MAX } from './engine.js';

/**
 * So much is handed on at a time. What the kernel does not take lies in a buffer of uWebSockets, which grows unless the kernel takes as
 * much each time it says that it has room: a third of what it may hold.
 */
const SLICE_BYTES = 16 * 1024;

/** Its two methods are called while the stream is open, the second at its end. */
export interface UwsStreamOwner {
  /** After a `write` that was false. */
  onRoom(): void;
  onStreamed(): void;
}

/** An answer in pieces on uWebSockets, which makes the chunks. One that is never written to is an answer of length 0. */
export class UwsStream {
  readonly #response: HttpResponse;
  readonly #head: string;
  readonly #owner: UwsStreamOwner;
  readonly #isBodiless: boolean;
  /** What uWebSockets has not. */
  readonly #body: StreamedBody;
  #hasHead = false;
  /** The kernel did not take the last slice as a whole. */
  #isBlocked = false;
  #waitsForRoom = false;
  #isOver = false;

  constructor(response: HttpResponse, head: string, isBodiless: boolean, owner: UwsStreamOwner) {
    this.#response = response;
    this.#head = head;
    this.#isBodiless = isBodiless;
    this.#body = new StreamedBody(isBodiless ? 'none' : 'plain');
    this.#owner = owner;
    response.onWritable(this.#onWritable);
  }

  write(bytes: Uint8Array): boolean {
    this.#body.write(bytes);
    if (!this.#isBlocked && !this.#body.isEmpty) this.#response.cork(this.#writeSlices);
    this.#waitsForRoom = this.#body.bytes > UNSENT_BYTES_MAX;
    return !this.#waitsForRoom;
  }

  end(): void {
    this.#body.end();
    this.#waitsForRoom = false;
    if (!this.#isBlocked) this.#finish();
  }

  /** The response must not be touched any more. */
  drop(): void {
    this.#isOver = true;
  }

  readonly #writeSlices = (): void => {
    if (!this.#hasHead && !this.#body.isEmpty) this.#writeHead();
    while (!this.#isBlocked && !this.#body.isEmpty) {
      this.#isBlocked = !this.#response.write(this.#body.take(SLICE_BYTES));
    }
  };

  readonly #onWritable = (): boolean => {
    if (this.#isOver) return true;
    this.#isBlocked = false;
    // Also with nothing to write: uWebSockets hands on what is in its buffer when a cork is taken off, and not by itself.
    this.#response.cork(this.#writeSlices);
    if (this.#isBlocked) return true;
    if (this.#waitsForRoom) {
      this.#waitsForRoom = false;
      this.#owner.onRoom();
    } else if (this.#body.isWhole) {
      this.#finish();
    }
    return true;
  };

  #finish(): void {
    this.#isOver = true;
    this.#response.cork(this.#writeEnd);
    this.#owner.onStreamed();
  }

  readonly #writeEnd = (): void => {
    if (!this.#hasHead) this.#writeHead();
    if (this.#isBodiless) this.#response.endWithoutBody();
    else this.#response.end();
  };

  #writeHead(): void {
    this.#hasHead = true;
    this.#response.writeStatus(this.#head);
  }
}
