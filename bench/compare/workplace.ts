import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Lines of a failed command that are shown. */
const SHOWN_LINES = 20;

export interface Outcome {
  readonly code: number | null;
  /** Both streams. */
  readonly output: string;
}

/**
 * A temporary folder for the sources of revisions, and the commands that work in it. When this process ends, whichever way but SIGKILL, commands that
 * still run are killed and the folder is removed: all of it at once, because an exit waits for nobody.
 */
export class Workplace {
  readonly directory: string;
  readonly #repository: string;
  readonly #running = new Set<ChildProcess>();

  /** @param repository the root of the git checkout */
  constructor(repository: string) {
    this.#repository = repository;
    this.directory = mkdtempSync(join(tmpdir(), 'conch-compare-'));
    process.once('exit', () => this.#cleanUp());
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      process.once(signal, () => process.exit(code));
    }
  }

  /** What git prints; throws what it says where it fails. */
  async git(...args: string[]): Promise<string> {
    return (await this.must('git', args, this.#repository)).trim();
  }

  /**
   * All files of this commit, in a folder of their own. A git worktree would be registered in the repository, and stay there locked where git
   * is killed while it makes one; this touches nothing but the folder.
   */
  async exportCommit(commit: string, name: string): Promise<string> {
    const path = join(this.directory, name);
    const archive = `${path}.tar`;
    mkdirSync(path);
    await this.git('archive', '--format=tar', '-o', archive, commit);
    await this.must('tar', ['-xf', archive], path);
    rmSync(archive);
    return path;
  }

  /** Runs a command to its end; the result is its output. Throws the last of it where it fails. */
  async must(command: string, args: readonly string[], cwd: string): Promise<string> {
    const { code, output } = await this.run(command, args, cwd);
    if (code === 0) return output;
    const tail = output.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n');
    throw new Error(`${command} ${args.join(' ')} ended with ${code ?? 'a signal'}:\n${tail}`);
  }

  /** In a process group of its own, so that it can be killed with all that it starts. */
  run(command: string, args: readonly string[], cwd: string): Promise<Outcome> {
    const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#running.add(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    return new Promise((resolve, reject) => {
      child.once('error', (error) => {
        this.#running.delete(child);
        reject(error);
      });
      child.once('close', (code) => {
        this.#running.delete(child);
        resolve({ code, output });
      });
    });
  }

  #cleanUp(): void {
    for (const { pid } of this.#running) if (pid !== undefined) killGroup(pid);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
