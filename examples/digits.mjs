// Sends handwritten digits to the model `digits` of a running server and shows what it reads.
//   node examples/digits.mjs [--url http://127.0.0.1:8000] [--count 10]
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PNG } from 'pngjs';

const HELD_OUT = new URL('digits/held-out/', import.meta.url);
const SHADES = ' ░▒▓█';

/** The 64 brightnesses of a picture, 0 to 1; a pixel is 15 times one of the levels 0 to 16. */
function readImage(file) {
  const { data } = PNG.sync.read(readFileSync(new URL(file, HELD_OUT)));
  // pngjs gives four bytes a pixel: red, green, blue, alpha.
  return Float32Array.from({ length: 64 }, (_, i) => data[i * 4] / 240);
}

function draw(image) {
  const shade = (value) => SHADES[Math.round(value * (SHADES.length - 1))].repeat(2);
  return Array.from({ length: 8 }, (_, row) => [...image.subarray(row * 8, row * 8 + 8)].map(shade).join(''));
}

/** The three likeliest classes, as { score, label }, best first. */
async function classify(url, image) {
  const head = Buffer.from(
    JSON.stringify({
      inputs: [
        { name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', parameters: { binary_data_size: image.byteLength } },
      ],
      outputs: [{ name: 'scores', parameters: { classification: 3 } }],
    }),
  );
  const response = await fetch(new URL('/v2/models/digits/infer', url), {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream', 'Inference-Header-Content-Length': String(head.length) },
    body: Buffer.concat([head, Buffer.from(image.buffer)]),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`the server says: ${answer.error}`);
  // "score:index:label"
  return answer.outputs[0].data.map((line) => {
    const [score, index, label] = line.split(':');
    return { score: Number(score), index, label };
  });
}

async function main() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8000' },
      count: { type: 'string', default: '10' },
    },
  });
  const count = Number(values.count);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--count must be a whole number above 0: ${values.count}`);
  const files = readdirSync(HELD_OUT).sort().slice(0, count);
  let right = 0;
  for (const file of files) {
    const image = readImage(file);
    const expected = file.split(/[_.]/)[1];
    const classes = await classify(values.url, image);
    const isRight = classes[0].index === expected;
    right += isRight ? 1 : 0;
    const notes = [
      `${file}: ${isRight ? 'right' : `wrong, it is ${expected}`}`,
      ...classes.map(({ score, label }) => `${(score * 100).toFixed(1).padStart(5)} %  ${label}`),
    ];
    console.log(
      `${draw(image)
        .map((row, i) => `${row}  ${notes[i] ?? ''}`.trimEnd())
        .join('\n')}\n`,
    );
  }
  console.log(`${right} of ${files.length} right`);
}

try {
  await main();
} catch (error) {
  // fetch says only "fetch failed"; what happened is in the cause.
  const unreachable = error instanceof TypeError && error.cause?.code;
  console.error(
    unreachable
      ? `No server answers (${error.cause.code}). Start one with: npm start\nor name another with --url.`
      : `digits: ${error.message}`,
  );
  process.exitCode = 1;
}
