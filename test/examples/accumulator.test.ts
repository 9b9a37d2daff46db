import { expect, test } from 'vitest';
import { outputsOf } from '../e2e/requests.js';
import { askStep, errorOf, viewOf } from '../e2e/sequence-steps.js';
import { ServerProcess } from '../e2e/server.js';

test('the example accumulator adds up each sequence, with the four classic controls', async () => {
  const server = await ServerProcess.start({ models: ['accumulator'] });
  const run = async (id: number, input: number, flags = '') => {
    const { OUTPUT, TOTAL, SEQUENCE } = outputsOf(await askStep(server, 'accumulator', id, { flags, inputs: [input] }));
    return [OUTPUT![0], TOTAL![0], SEQUENCE![0]];
  };
  expect(await run(543, 3, 's')).toEqual([3, 0, '543']);
  expect(await run(7, 100, 's')).toEqual([100, 0, '7']);
  expect(await run(543, 4)).toEqual([7, 0, '543']);
  expect(await run(543, 5, 'e')).toEqual([12, 12, '543']);
  expect(await run(7, -1, 'e')).toEqual([99, 99, '7']);
  expect(errorOf(await askStep(server, 'accumulator', 543))).toContain('; sequence 543 was released 0.');
  expect((await viewOf(server, 'accumulator')).ended).toHaveLength(2);
  await server.stop();
});
