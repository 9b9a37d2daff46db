/** A double as its two words, least significant first. */
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** The FP16 value nearest to `value`, ties to even, as its bits; from 65520 on it is infinite (IEEE 754). */
export function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  // The point half way to the first value that does not fit.
  if (magnitude >= 65520) return sign | 0x7c00;
  // Subnormals are whole multiples of 2^-24.
  if (magnitude < 2 ** -14) return sign | roundEven(magnitude * 2 ** 24);
  double[0] = magnitude;
  const exponent = (words[1]! >>> 20) - 1023;
  // 1024 to 2048: a carry moves on to the next exponent by itself.
  const mantissa = roundEven(magnitude * 2 ** (10 - exponent));
  return sign | (((exponent + 14) << 10) + mantissa);
}

function roundEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest > 0.5 || (rest === 0.5 && below % 2 === 1)) return below + 1;
  return below;
}

/** The value of FP16 bits. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}
