import { MainProcess } from '../../../e2e/server.js';

export interface BenchEnd {
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

/** The command as a process of its own, until it ends. */
export async function bench(args: readonly string[]): Promise<BenchEnd> {
  const main = new MainProcess(['bench', ...args]);
  const code = await main.exit;
  return { code, stdout: main.stdout, output: main.output };
}

/** The command, interrupted by Ctrl-C, or another signal, when `when` resolves. */
export async function interrupted(
  args: readonly string[],
  when: () => Promise<void>,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<BenchEnd> {
  const main = new MainProcess(['bench', ...args]);
  await when();
  main.child.kill(signal);
  const code = await main.exit;
  return { code, stdout: main.stdout, output: main.output };
}
