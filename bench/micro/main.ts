import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { tableText } from '../core/report.js';
import { packageRoot, positive } from '../core/runner.js';
import { chosenParts, listParts, measureIn } from './ask.js';
import { type MicroReport, type PartResult, partsTable } from './report.js';

const usage = `Usage: npm run bench:micro -- [--only NAME]... [--rounds 25] [--json FILE] [--list]
--only takes the beginning of a name. --rounds is the number of samples of each part. bench/README.md says how to read the table.`;

interface Command {
  readonly only: readonly string[];
  readonly rounds: number;
  /** '' = none is written. */
  readonly jsonFile: string;
  readonly isList: boolean;
}

function parseCommandLine(): Command {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [''] },
      rounds: { type: 'string', default: '25' },
      json: { type: 'string', default: '' },
      list: { type: 'boolean', default: false },
    },
  });
  return { only: values.only, rounds: positive('--rounds', values.rounds), jsonFile: values.json, isList: values.list };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function measureAll({ only, rounds }: Command): Promise<MicroReport> {
  const { parts, failures } = await listParts(packageRoot, only);
  const failed: Record<string, string> = Object.fromEntries(failures);
  const results: PartResult[] = [];
  for (const part of chosenParts(parts, only)) {
    const { name, about } = part;
    const reply = await measureIn(packageRoot, part, rounds);
    if (reply.kind === 'failed') failed[name] = reply.reason;
    else results.push({ name, about, opsPerSample: reply.opsPerSample, samplesNs: reply.samplesNs });
  }
  const cpu = cpus()[0]?.model ?? 'unknown CPU';
  return { node: process.versions.node, cpu, parts: results, failures: failed };
}

async function run(command: Command): Promise<void> {
  if (command.isList) {
    const { parts } = await listParts(packageRoot, command.only);
    print(tableText({ header: ['part', 'one operation'], rows: parts.map(({ name, about }) => [name, about]) }));
    return;
  }
  const report = await measureAll(command);
  print(`${command.rounds} samples each, ${report.cpu}, Node ${report.node}\n\n${tableText(partsTable(report.parts))}`);
  for (const [name, reason] of Object.entries(report.failures)) {
    print(`${name}: ${reason}`);
    process.exitCode = 1;
  }
  if (command.jsonFile !== '') await writeFile(command.jsonFile, `${JSON.stringify(report, null, 2)}\n`);
}

try {
  await run(parseCommandLine());
} catch (error) {
  console.error(`${(error as Error).message}\n${usage}`);
  process.exit(1);
}
