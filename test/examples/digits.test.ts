import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';

const EXAMPLES = new URL('../../examples/', import.meta.url);
const HELD_OUT = new URL('digits/held-out/', EXAMPLES);
const MODEL = new URL('models/digits/', EXAMPLES);

describe('the digits example', () => {
  it('reads as many held-out pictures right as its README states', async () => {
    const stated = /Held-out accuracy: (\d+) of (\d+)\*\*/.exec(readFileSync(new URL('README.md', MODEL), 'utf8'));
    const files = readdirSync(HELD_OUT);
    const images = new Float32Array(files.length * 64);
    files.forEach((file, n) => {
      const picture = PNG.sync.read(readFileSync(new URL(file, HELD_OUT)));
      expect([picture.width, picture.height]).toEqual([8, 8]);
      for (let i = 0; i < 64; i += 1) images[n * 64 + i] = picture.data[i * 4]! / 240;
    });

    const session = await ort.InferenceSession.create(fileURLToPath(new URL('1/model.onnx', MODEL)));
    const answer = await session.run({ image: new ort.Tensor('float32', images, [files.length, 1, 8, 8]) });
    const scores = answer.scores!.data as Float32Array;
    const right = files.filter((file, n) => {
      const ten = scores.subarray(n * 10, n * 10 + 10);
      return ten.indexOf(Math.max(...ten)) === Number(/_(\d)\.png$/.exec(file)![1]);
    }).length;

    expect([right, files.length]).toEqual([Number(stated?.[1]), Number(stated?.[2])]);
    expect(right / files.length).toBeGreaterThanOrEqual(0.98);
  });

  it('has a label for each of its ten scores', () => {
    const labels = readFileSync(new URL('labels.txt', MODEL), 'utf8').trimEnd().split('\n');
    expect(labels).toHaveLength(10);
    expect([labels[0], labels[9]]).toEqual(['zero', 'nine']);
  });
});
