import { parseArgs } from 'node:util';
import { Contest } from '../core/contest.js';
import { tableText } from '../core/report.js';
import { packageRoot, positive } from '../core/runner.js';
import { type SoakOptions, soak } from './soak.js';

const usage =
  'Usage: npm run soak -- [--seconds 120] [--sequences 2000] [--connections 100] [--seed 1]. bench/README.md says what it does.';

function parseCommandLine(): SoakOptions {
  try {
    const text = (value: string) => ({ type: 'string' as const, default: value });
    const options = { seconds: text('120'), sequences: text('2000'), connections: text('100'), seed: text('1') };
    const { values } = parseArgs({ options });
    const number = (name: keyof typeof options) => positive(`--${name}`, values[name]);
    return {
      seconds: number('seconds'),
      sequences: number('sequences'),
      connections: number('connections'),
      seed: number('seed'),
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(1);
  }
}

const options = parseCommandLine();
const { seconds, sequences, connections, seed } = options;
console.log(`${sequences} sequences over ${connections} connections for ${seconds} s, seed ${seed}`);
const contest = await Contest.open({ root: packageRoot, rounds: 1, seconds, engines: ['net'] });
try {
  const { table, wrongs } = await soak(contest, options);
  console.log(`\n${tableText({ header: ['what happened', 'how often'], rows: table })}`);
  for (const wrong of wrongs) console.error(`WRONG: ${wrong}`);
  if (wrongs.length === 0) console.log('\nAll is well.');
  process.exitCode = wrongs.length === 0 ? 0 : 1;
} finally {
  await contest.close();
}
// Clients that were given up may still be connected.
process.exit();
