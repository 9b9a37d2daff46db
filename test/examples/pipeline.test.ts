import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, infer, outputsOf } from '../e2e/requests.js';
import { root, ServerProcess } from '../e2e/server.js';

const script = join(root, 'examples/pipeline.mjs');
const heldOut = (name: string) => readFileSync(join(root, 'examples/digits/held-out', name));
const [one, seven] = [heldOut('0011_1.png'), heldOut('0043_7.png')];

const SIDE = 60;
/** A larger one, light on dark. */
const large = (file: Buffer) => sharp(file).resize(SIDE, SIDE, { kernel: 'cubic' });
const inverted = (file: Buffer) => sharp(file).negate({ alpha: false });

/** Ink of one colour on nothing. */
async function transparent(file: Buffer, colour: string): Promise<Buffer> {
  const ink = await large(file).extractChannel(0).raw().toBuffer();
  const raw = { width: SIDE, height: SIDE, channels: 1 as const };
  const sheet = sharp({ create: { width: SIDE, height: SIDE, channels: 3, background: colour } });
  return sheet.joinChannel(ink, { raw }).png().toBuffer();
}

const pictures: readonly (readonly [what: string, make: (file: Buffer) => Promise<Buffer>])[] = [
  ['as it was drawn', async (file) => file],
  ['dark on light', (file) => inverted(file).png().toBuffer()],
  ['faint, on grey paper', (file) => large(file).linear(-0.3, 180).jpeg().toBuffer()],
  ['on a wide sheet', (file) => large(file).extend({ left: 5, right: 5, background: 'black' }).png().toBuffer()],
  ['of 16 bits', (file) => large(file).toColourspace('grey16').png().toBuffer()],
  ['with a palette', (file) => large(file).png({ palette: true, colours: 4 }).toBuffer()],
  ['in CMYK', (file) => large(file).toColourspace('cmyk').jpeg().toBuffer()],
  ['turned, as a camera was held', (file) => large(file).rotate(90).withMetadata({ orientation: 8 }).jpeg().toBuffer()],
  ['black on nothing', (file) => transparent(file, 'black')],
  ['white on nothing', (file) => transparent(file, 'white')],
];

function tensorOf(files: readonly Buffer[]): Buffer {
  return Buffer.concat(
    files.flatMap((file) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(file.length);
      return [length, file];
    }),
  );
}

describe('the example pipeline', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    const models = ['digits_preprocess', 'digits', 'digits_label', 'digits_pipeline'];
    // Where they are, and not a copy: sharp is found from there.
    const flags = ['--model-control-mode=explicit', ...models.map((model) => `--load-model=${model}`)];
    server = await ServerProcess.start({ models: [], flags: [join(root, 'examples/models'), ...flags] });
  });

  afterAll(async () => {
    await server.stop();
  });

  const read = (...files: readonly Buffer[]) => {
    const data = tensorOf(files);
    const tensor = { name: 'IMAGE', datatype: 'BYTES', shape: [files.length, 1], data, binary: true } as const;
    return ask(server.httpPort, infer('digits_pipeline', [tensor]));
  };

  test('reads the held-out pictures, as PNG over HTTP as well as the network itself, as JPEG over gRPC', async () => {
    const places = ['--url', `http://127.0.0.1:${server.httpPort}`, '--grpc', `127.0.0.1:${server.grpcPort}`];
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...places]);
    const [, accuracy] = /Held-out accuracy: (\d+ of \d+)\*\*/.exec(
      readFileSync(join(root, 'examples/models/digits/README.md'), 'utf8'),
    )!;
    expect(stdout).toMatch(new RegExp(`^PNG, .*: ${accuracy} right, \\d+ pictures/s$`, 'm'));
    expect(stdout).toMatch(/^JPEG, .*: 3[45]\d of 360 right, \d+ pictures\/s$/m);
  });

  test('says where no server answers', async () => {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    await promisify(listener.close.bind(listener))();
    const nowhere = ['--url', `http://127.0.0.1:${port}`, join(root, 'examples/digits/held-out/0011_1.png')];
    const failed = promisify(execFile)(process.execPath, [script, ...nowhere]);
    await expect(failed).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/^No server answers/) });
  });

  test.each(pictures)('reads pictures %s, several in a request', async (_, make) => {
    const { LABEL, SCORE } = outputsOf(await read(await make(one), await make(seven), await make(one)));
    expect(LABEL).toEqual(['one', 'seven', 'one']);
    for (const score of SCORE!) expect(score).toBeGreaterThan(0.5);
  });

  test('refuses what is no picture, with what came; requests beside it are answered', async () => {
    const jpeg = await large(one).jpeg().toBuffer();
    const bad: readonly (readonly Buffer[])[] = [
      [one, Buffer.from('GIF89a and so on')],
      [Buffer.alloc(0)],
      [jpeg.subarray(0, jpeg.length / 2), one],
      [one.subarray(0, 40)],
      [
        await sharp({ create: { width: 12_000, height: 5_000, channels: 3, background: 'white' } })
          .png()
          .toBuffer(),
      ],
    ];
    const all = await Promise.all(bad.flatMap((files) => [read(one), read(...files), read(seven, one)]));
    const texts = all.map((answer) =>
      answer.status === 200 ? outputsOf(answer).LABEL : `${answer.status} ${answer.body}`,
    );
    const refused = (text: string) => [
      ['one'],
      expect.stringContaining(`400 {"error":"in ensemble 'digits_pipeline', picture ${text}`),
      ['seven', 'one'],
    ];
    expect(texts).toEqual([
      ...refused('2 of 2 is neither PNG nor JPEG: 16 bytes that begin with \\"GIF89a a\\"'),
      ...refused('1 of 1 is neither PNG nor JPEG: it is empty'),
      ...refused(`1 of 2 is a JPEG of ${Math.floor(jpeg.length / 2)} bytes that cannot be decoded: `),
      ...refused('1 of 1 is a PNG of 40 bytes that cannot be decoded: '),
      ...refused('1 of 1 is a PNG of '),
    ]);
  });
});
