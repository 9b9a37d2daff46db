import { parseArgs } from 'node:util';
import { benchMain, chooseSuites, commonFlags, packageRoot, positive, type Run } from '../core/runner.js';
import { wsSuites } from './suites.js';

const usage = `Usage: npm run bench:ws -- [--rounds 10] [--seconds 5] [--only NAME]...
Names: ${wsSuites.map(({ name }) => name).join(', ')}. --only takes the beginning of a name too. bench/README.md says how to read the tables.`;

function parseCommandLine(): Run {
  const { values } = parseArgs({ options: commonFlags });
  const counts = { rounds: positive('--rounds', values.rounds), seconds: positive('--seconds', values.seconds) };
  return {
    name: 'ws',
    options: { root: packageRoot, ...counts, engines: ['net', 'uws'] },
    chosen: chooseSuites(wsSuites, values.only),
  };
}

await benchMain(parseCommandLine, usage);
