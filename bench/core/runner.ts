import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchOptions } from './contest.js';
import { type SuiteResult, suiteReport, tableMarkdown, tableText } from './report.js';
import type { Suite } from './suite.js';
import { loadUws } from './uws.js';

/** The root of the package, from dist/bench/core. */
export const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** The flags that every bench has, for `parseArgs`. */
export const commonFlags = {
  rounds: { type: 'string' as const, default: '10' },
  seconds: { type: 'string' as const, default: '5' },
  only: { type: 'string' as const, multiple: true as const, default: [''] },
};

/** A bench with what its command line asks for. */
export interface Run {
  /** Its tables go to `bench/out/NAME.md`. */
  readonly name: string;
  readonly options: BenchOptions;
  readonly chosen: readonly Suite[];
}

/** The suites whose names begin with one of these; throws where there is none. */
export function chooseSuites(suites: readonly Suite[], starts: readonly string[]): Suite[] {
  const chosen = suites.filter(({ name }) => starts.some((start) => name.startsWith(start)));
  if (chosen.length === 0) throw new Error(`no suite is called ${starts.join(', ')}`);
  return chosen;
}

export function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${flag}: expected a whole number from 1 on, found '${text}'`);
  return value;
}

function machine(): string {
  const [first, ...others] = cpus();
  return `${others.length + 1} x ${first?.model ?? 'unknown CPU'}, Node ${process.versions.node}`;
}

async function writeMarkdown({ name, options }: Run, title: string, results: readonly SuiteResult[]): Promise<string> {
  const directory = join(options.root, 'bench/out');
  await mkdir(directory, { recursive: true });
  const file = join(directory, `${name}.md`);
  const sections = results.map((result) => `## ${result.name}\n\n${suiteReport(result, tableMarkdown)}\n`);
  await writeFile(file, `# ${title}\n\n${sections.join('\n')}`);
  return file;
}

/** Runs the chosen suites one after another, printing each when it is done. */
async function runSuites(run: Run): Promise<void> {
  const { options, chosen } = run;
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
  console.log(`\nWritten to ${await writeMarkdown(run, title, results)}`);
}

function parsedOrUsage(parse: () => Run, usage: string): Run {
  try {
    return parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(1);
  }
}

/** What a bench does: reads its command line, or says how it is used, and runs. */
export function benchMain(parse: () => Run, usage: string): Promise<void> {
  return runSuites(parsedOrUsage(parse, usage));
}

/** `benchMain` of a bench whose flags are the common ones alone. */
export function suitesMain(name: string, suites: readonly Suite[], engines: BenchOptions['engines']): Promise<void> {
  const usage = `Usage: npm run bench:${name} -- [--rounds 10] [--seconds 5] [--only NAME]...
Names: ${suites.map((suite) => suite.name).join(', ')}. --only takes the beginning of a name too. bench/README.md says how to read the tables.`;
  const parse = (): Run => {
    const { values } = parseArgs({ options: commonFlags });
    const counts = { rounds: positive('--rounds', values.rounds), seconds: positive('--seconds', values.seconds) };
    return { name, options: { root: packageRoot, ...counts, engines }, chosen: chooseSuites(suites, values.only) };
  };
  return benchMain(parse, usage);
}
