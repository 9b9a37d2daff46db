import { cpus } from 'node:os';
import { packageRoot } from '../core/runner.js';
import { type Checkout, checkOut, findRevision, type Revision, workingTree } from './checkout.js';
import { type CompareOptions, parseCompareArgs, usage } from './command-line.js';
import { compareLoad } from './load-side.js';
import { compareMicro } from './micro-side.js';
import type { Comparison, SideName } from './rounds.js';
import { comparisonText } from './table.js';
import { Workplace } from './workplace.js';

type Sides = Readonly<Record<SideName, Checkout>>;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** How far it is goes where no table goes. */
function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function checkOutBoth(workplace: Workplace, options: CompareOptions): Promise<Sides> {
  const revisions = { a: await findRevision(workplace, options.a), b: await newer(workplace, options) };
  progress(`building ${revisions.a.text}`);
  const a = await checkOut(workplace, packageRoot, revisions.a, 'a');
  if (revisions.b === null) return { a, b: workingTree(packageRoot) };
  if (revisions.b.commit === revisions.a.commit) return { a, b: a };
  progress(`building ${revisions.b.text}`);
  return { a, b: await checkOut(workplace, packageRoot, revisions.b, 'b') };
}

function newer(workplace: Workplace, { b }: CompareOptions): Promise<Revision | null> {
  return b === null ? Promise.resolve(null) : findRevision(workplace, b);
}

function compare(workplace: Workplace, sides: Sides, options: CompareOptions): Promise<Comparison> {
  const { rounds } = options;
  const onRound = (done: number) => progress(`round ${done} of ${rounds}`);
  if (options.bench === 'micro') return compareMicro(sides, options, onRound);
  return compareLoad(sides, { ...options, root: packageRoot, directory: workplace.directory }, onRound);
}

function sayRemarks({ label, remarks }: Checkout): void {
  if (remarks.length === 0) return;
  say(`\nThe compiler on the benches with the sources of ${label}: look whether a part means the same there.`);
  for (const remark of remarks) say(remark);
}

async function main(options: CompareOptions): Promise<void> {
  const workplace = new Workplace(packageRoot);
  const sides = await checkOutBoth(workplace, options);
  const comparison = await compare(workplace, sides, options);
  const cpu = cpus()[0]?.model ?? 'unknown CPU';
  say(`A = ${sides.a.label}, B = ${sides.b.label}; ${options.rounds} rounds, ${cpu}, Node ${process.versions.node}\n`);
  say(comparisonText(comparison));
  for (const side of new Set([sides.a, sides.b])) if (options.bench === 'micro') sayRemarks(side);
}

function optionsOrUsage(): CompareOptions {
  try {
    return parseCompareArgs(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(1);
  }
}

const options = optionsOrUsage();
try {
  await main(options);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
