import { parseArgs } from 'node:util';
import { benchMain, chooseSuites, commonFlags, packageRoot, positive, type Run } from '../core/runner.js';
import { grpcSuites } from './suites.js';

const usage = `Usage: npm run bench:grpc -- [--rounds 10] [--seconds 5] [--only NAME]...
Names: ${grpcSuites.map(({ name }) => name).join(', ')}. --only takes the beginning of a name too. bench/README.md says how to read the tables.`;

function parseCommandLine(): Run {
  const { values } = parseArgs({ options: commonFlags });
  const counts = { rounds: positive('--rounds', values.rounds), seconds: positive('--seconds', values.seconds) };
  return {
    name: 'grpc',
    options: { root: packageRoot, ...counts, engines: ['net'] },
    chosen: chooseSuites(grpcSuites, values.only),
  };
}

await benchMain(parseCommandLine, usage);
