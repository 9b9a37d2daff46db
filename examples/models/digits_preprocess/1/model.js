/** Decodes pictures of handwritten digits, PNG or JPEG of any size, and makes of each what the network of `digits` reads. */

/** @import { Batch, ModelRequest, Tensor } from 'conch-server/model' */

import sharp from 'sharp';
import { inkOf } from './ink.js';

/** Pixels of a side of what the network reads. */
const SIDE = 8;
/** A picture of more pixels is not decoded. */
const MOST_PIXELS = 50_000_000;

// Pictures are decoded side by side; a thread for each is enough.
sharp.concurrency(1);

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each(answer);
}

/** @param {ModelRequest} request */
async function answer(request) {
  const { data: files } = /** @type {Tensor<'BYTES'>} */ (request.input('IMAGE'));
  // Settled: the files are memory of the request, which lasts until it is answered.
  const images = await Promise.allSettled(files.map(readImage));
  const output = request.output('image', [files.length, 1, SIDE, SIDE]);
  for (const [nth, image] of images.entries()) {
    if (image.status === 'fulfilled') {
      output.set(image.value, nth * SIDE * SIDE);
      continue;
    }
    request.fail(`picture ${nth + 1} of ${files.length} ${image.reason.message}`, 'INVALID_ARGUMENT');
    return;
  }
}

/** @param {Uint8Array} file */
async function readImage(file) {
  const format = formatOf(file);
  if (format === '') throw new Error(`is neither PNG nor JPEG: ${describe(file)}`);
  try {
    return centre(await shrink(file));
  } catch (error) {
    // What follows is said again by each layer of the decoder.
    const [reason] = /** @type {Error} */ (error).message.split('\n');
    throw new Error(`is a ${format} of ${file.length} bytes that cannot be decoded: ${reason}`);
  }
}

/** By its first bytes; '' = another. sharp would take others too, some of which are programs (SVG). */
function formatOf(file) {
  const start = Buffer.from(file.subarray(0, 8)).toString('latin1');
  if (start === '\x89PNG\r\n\x1a\n') return 'PNG';
  return start.startsWith('\xff\xd8\xff') ? 'JPEG' : '';
}

function describe(file) {
  const start = Buffer.from(file.subarray(0, 8)).toString('latin1');
  return file.length === 0 ? 'it is empty' : `${file.length} bytes that begin with ${JSON.stringify(start)}`;
}

/** As large as fits into the network's square, upright, four bytes a pixel. */
async function shrink(file) {
  const { data, info } = await sharp(file, { limitInputPixels: MOST_PIXELS })
    .autoOrient()
    .resize(SIDE, SIDE, { fit: 'inside' })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/** Its ink in the middle of the network's square. */
function centre(picture) {
  const { width, height } = picture;
  const ink = inkOf(picture);
  const image = new Float32Array(SIDE * SIDE);
  const [left, top] = [(SIDE - width) >> 1, (SIDE - height) >> 1];
  for (let row = 0; row < height; row++) {
    image.set(ink.subarray(row * width, (row + 1) * width), (top + row) * SIDE + left);
  }
  return image;
}
