const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const HIGH = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** Sign, exponent and the first 20 bits of the fraction: grows with the value, and about as its logarithm, from 0 up. */
export function highBits(value: number): number {
  double[0] = value;
  return words[HIGH]!;
}

/** The smallest double from 0 up that has these high bits. */
export function fromHighBits(high: number): number {
  words[1 - HIGH] = 0;
  words[HIGH] = high;
  return double[0]!;
}
