// Loaded into the server with `node --import`: for each signal SIGUSR2 it prints how many bytes its main thread has copied into shared memory, in
// pieces of 64 bytes and more.
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  let bytes = 0;
  const count = (target, length) => {
    if (target.buffer instanceof SharedArrayBuffer && length >= 64) bytes += length;
  };
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
  const { set, copyWithin } = typedArray;
  typedArray.set = function (source, offset) {
    count(this, source.length * this.BYTES_PER_ELEMENT);
    return set.call(this, source, offset);
  };
  typedArray.copyWithin = function (target, begin, end = this.length) {
    count(this, (end - begin) * this.BYTES_PER_ELEMENT);
    return copyWithin.call(this, target, begin, end);
  };
  const { copy, fill } = Buffer.prototype;
  Buffer.prototype.copy = function (target, at, begin = 0, end = this.length) {
    count(target, end - begin);
    return copy.call(this, target, at, begin, end);
  };
  Buffer.prototype.fill = function (value, begin, end, encoding) {
    if (typeof value === 'object') count(this, (end ?? this.length) - (begin ?? 0));
    return fill.call(this, value, begin, end, encoding);
  };
  process.on('SIGUSR2', () => process.stdout.write(`copied ${bytes}\n`));
}
