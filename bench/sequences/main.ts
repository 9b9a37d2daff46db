import { parseArgs } from 'node:util';
import { benchMain, chooseSuites, commonFlags, packageRoot, positive, type Run } from '../core/runner.js';
import { sequenceSuites } from './suites.js';

const usage = `Usage: npm run bench:sequences -- [--rounds 10] [--seconds 5] [--only NAME]...
Names: ${sequenceSuites.map(({ name }) => name).join(', ')}. --only takes the beginning of a name too. bench/README.md says how to read the tables.`;

function parseCommandLine(): Run {
  const { values } = parseArgs({ options: commonFlags });
  const counts = { rounds: positive('--rounds', values.rounds), seconds: positive('--seconds', values.seconds) };
  return {
    name: 'sequences',
    options: { root: packageRoot, ...counts, engines: ['net'] },
    chosen: chooseSuites(sequenceSuites, values.only),
  };
}

await benchMain(parseCommandLine, usage);
