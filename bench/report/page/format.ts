/** Numbers as people read them; no DOM in here. */

/** Three significant digits at least, thousands apart. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  const digits =
    size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : Math.min(6, 2 - Math.floor(Math.log10(size)));
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** For axes. */
export function shortText(value: number): string {
  if (Math.abs(value) >= 1e6) return `${Number((value / 1e6).toPrecision(4))}M`;
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

/** Microseconds in the unit that suits. */
export function durationText(us: number): string {
  if (us >= 1e6) return `${numberText(us / 1e6)} s`;
  if (us >= 1000) return `${numberText(us / 1000)} ms`;
  return `${numberText(us)} µs`;
}

/** As `durationText`, for axes: no more digits than the tick has. */
export function durationTick(us: number): string {
  if (us === 0) return '0';
  const [value, unit] = us >= 1e6 ? [us / 1e6, 's'] : us >= 1000 ? [us / 1000, 'ms'] : [us, 'µs'];
  return `${Number(value.toPrecision(4))} ${unit}`;
}

/** Of 0..1, to a tenth of a percent. */
export function percentText(share: number): string {
  return share > 0 && share < 0.001 ? '<0.1%' : `${Number((share * 100).toFixed(1))}%`;
}

export function bytesText(bytes: number): string {
  return bytes >= 2 ** 30 ? `${numberText(bytes / 2 ** 30)} GiB` : `${numberText(bytes / 2 ** 20)} MiB`;
}

export function ratioText(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 1)}×`;
}

/** 1/(1-q) as the percentile it stands for: 1 -> 0%, 1000 -> 99.9%. */
export function quantileText(oneIn: number): string {
  const digits = Math.max(0, Math.ceil(Math.log10(oneIn) - 1e-9) - 2);
  return `${(100 * (1 - 1 / oneIn)).toFixed(digits)}%`;
}
