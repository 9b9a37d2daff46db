import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchOptions } from './contest.js';
import { factSuites } from './fact-suites.js';
import { matchSuites } from './match-suites.js';
import { type SuiteResult, suiteReport, tableMarkdown, tableText } from './report.js';
import type { Engine } from './server-process.js';
import type { Suite } from './suite.js';
import { loadUws } from './uws.js';

const suites: readonly Suite[] = [...matchSuites, ...factSuites];

const usage = `Usage: npm run bench:core -- [--rounds 10] [--seconds 5] [--only NAME]... [--engine uws|net]...
Names: ${suites.map(({ name }) => name).join(', ')}. --only takes the beginning of a name too. bench/README.md says how to read the tables.`;

interface CommandLine {
  readonly options: BenchOptions;
  readonly chosen: readonly Suite[];
}

function parseCommandLine(): CommandLine {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true, default: [''] },
      engine: { type: 'string', multiple: true, default: ['uws', 'net'] },
    },
  });
  const chosen = suites.filter(({ name }) => values.only.some((start) => name.startsWith(start)));
  if (chosen.length === 0) throw new Error(`no suite is called ${values.only.join(', ')}`);
  // From dist/bench/core.
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const counts = { rounds: positive('--rounds', values.rounds), seconds: positive('--seconds', values.seconds) };
  return { options: { root, ...counts, engines: values.engine.map(engineOf) }, chosen };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${flag}: expected a whole number from 1 on, found '${text}'`);
  return value;
}

function engineOf(text: string): Engine {
  if (text !== 'uws' && text !== 'net') throw new Error(`--engine: expected uws or net, found '${text}'`);
  return text;
}

function machine(): string {
  const [first, ...others] = cpus();
  return `${others.length + 1} x ${first?.model ?? 'unknown CPU'}, Node ${process.versions.node}`;
}

async function writeMarkdown(root: string, title: string, results: readonly SuiteResult[]): Promise<string> {
  const directory = join(root, 'bench/out');
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'core.md');
  const sections = results.map((result) => `## ${result.name}\n\n${suiteReport(result, tableMarkdown)}\n`);
  await writeFile(file, `# ${title}\n\n${sections.join('\n')}`);
  return file;
}

async function main({ options, chosen }: CommandLine): Promise<void> {
  loadUws();
  if (!existsSync(join(options.root, 'dist/src/main.js')))
    throw new Error('dist/src/main.js is missing: npm run build');
  const title = `${options.rounds} rounds of ${options.seconds} s, ${machine()}`;
  console.log(title);
  const results: SuiteResult[] = [];
  for (const suite of chosen) {
    const result = await suite.run(options);
    results.push(result);
    console.log(`\n${suite.name}\n\n${suiteReport(result, tableText)}`);
  }
  console.log(`\nWritten to ${await writeMarkdown(options.root, title, results)}`);
}

function commandLineOrUsage(): CommandLine {
  try {
    return parseCommandLine();
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(1);
  }
}

await main(commandLineOrUsage());
