/** Where a picture has ink: what is drawn on its paper, be it dark on light, light on dark, or anything on a transparent ground. */

/** @typedef {{ data: Uint8Array, width: number, height: number }} Picture four bytes a pixel: red, green, blue, alpha */

/**
 * From 0 (as the paper) to 1 (what differs most from it), a value a pixel. Paper is what most of the border shows.
 * @param {Picture} picture
 */
export function inkOf({ data, width, height }) {
  const alphas = new Float32Array(width * height);
  const greys = new Float32Array(width * height);
  for (let pixel = 0; pixel < alphas.length; pixel++) {
    const [red, green, blue, alpha] = data.subarray(4 * pixel, 4 * pixel + 4);
    alphas[pixel] = alpha;
    greys[pixel] = 0.299 * red + 0.587 * green + 0.114 * blue;
  }
  const isTransparent = paperOf(alphas, width, height) < 128;
  const values = isTransparent ? alphas : greys;
  const paper = paperOf(values, width, height);
  const differences = values.map((value) => value - paper);
  const largest = differences.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  return largest === 0 ? differences : differences.map((value) => Math.max(0, value / largest));
}

/** The median of the border. */
function paperOf(values, width, height) {
  const isBorder = (column, row) => column === 0 || row === 0 || column === width - 1 || row === height - 1;
  const border = values.filter((_, pixel) => isBorder(pixel % width, Math.floor(pixel / width))).sort();
  return border[border.length >> 1];
}
