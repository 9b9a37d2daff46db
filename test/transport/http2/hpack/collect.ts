import { HpackDecoder } from '../../../../src/transport/http2/hpack/decoder.js';
import type { Pair } from './dumb-hpack.js';

export const LIST_BYTES_MAX = 16_384;

/** A decoder with what it handed on. */
export class Collector {
  readonly decoder: HpackDecoder;
  fields: Pair[] = [];
  listBytes = 0;

  constructor(listBytesMax = LIST_BYTES_MAX) {
    this.decoder = new HpackDecoder(listBytesMax);
  }

  decode(block: Buffer): Pair[] {
    this.fields = [];
    this.listBytes = this.decoder.decode(block, 0, block.length, this);
    return this.fields;
  }

  hex(text: string): Pair[] {
    return this.decode(Buffer.from(text.replaceAll(' ', ''), 'hex'));
  }

  field(name: string, value: string): void {
    this.fields.push([name, value]);
  }
}
