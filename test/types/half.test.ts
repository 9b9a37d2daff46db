import { expect, test } from 'vitest';
import { fromHalf, toHalf } from '../../src/types/half.js';

/** The value of FP16 bits by the definition of IEEE 754, with no arithmetic of the code under test. */
function twin(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = Math.floor((bits % 0x8000) / 1024);
  const fraction = (bits % 1024) / 1024;
  if (exponent === 31) return fraction === 0 ? sign / 0 : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

test('all 65536 bit patterns have the value that IEEE 754 gives them', () => {
  for (let bits = 0; bits < 65536; bits++) expect(Object.is(fromHalf(bits), twin(bits)), `bits ${bits}`).toBe(true);
});

test('all 65536 bit patterns survive the way to a number and back, NaN as one of its kind', () => {
  for (let bits = 0; bits < 65536; bits++) {
    const value = fromHalf(bits);
    const back = toHalf(value);
    if (Number.isNaN(value)) expect(Number.isNaN(fromHalf(back))).toBe(true);
    else expect(back, `bits ${bits}`).toBe(bits);
  }
});

test('what lies between two neighbours goes to the nearer one, from the middle to the even one', () => {
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [fromHalf(bits), fromHalf(bits + 1)];
    const middle = (low + high) / 2;
    expect(toHalf(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
    expect(toHalf(middle - (high - low) / 1024)).toBe(bits);
    expect(toHalf(middle + (high - low) / 1024)).toBe(bits + 1);
    expect(toHalf(-middle)).toBe(0x8000 + (bits % 2 === 0 ? bits : bits + 1));
  }
});

test('what is too large is infinite, from half way beyond the largest value on', () => {
  expect(toHalf(65519.99)).toBe(0x7bff);
  expect(toHalf(65520)).toBe(0x7c00);
  expect(toHalf(-1e300)).toBe(0xfc00);
  expect(toHalf(Number.MIN_VALUE)).toBe(0);
});
