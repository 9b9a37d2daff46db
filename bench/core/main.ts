import { parseArgs } from 'node:util';
import type { Engine } from '../server/server-process.js';
import { factSuites } from './fact-suites.js';
import { matchSuites } from './match-suites.js';
import { benchMain, chooseSuites, commonFlags, packageRoot, positive, type Run } from './runner.js';
import type { Suite } from './suite.js';

const suites: readonly Suite[] = [...matchSuites, ...factSuites];

const usage = `Usage: npm run bench:core -- [--rounds 10] [--seconds 5] [--only NAME]... [--engine uws|net]...
Names: ${suites.map(({ name }) => name).join(', ')}. --only takes the beginning of a name too. bench/README.md says how to read the tables.`;

function parseCommandLine(): Run {
  const { values } = parseArgs({
    options: { ...commonFlags, engine: { type: 'string', multiple: true, default: ['uws', 'net'] } },
  });
  const counts = { rounds: positive('--rounds', values.rounds), seconds: positive('--seconds', values.seconds) };
  return {
    name: 'core',
    options: { root: packageRoot, ...counts, engines: values.engine.map(engineOf) },
    chosen: chooseSuites(suites, values.only),
  };
}

function engineOf(text: string): Engine {
  if (text !== 'uws' && text !== 'net') throw new Error(`--engine: expected uws or net, found '${text}'`);
  return text;
}

await benchMain(parseCommandLine, usage);
