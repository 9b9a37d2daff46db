import { constants } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { externalFiles } from '../backends/onnx-external.js';
import { readOnnxSignature } from '../backends/onnx-file.js';
import { scanModel } from '../repository/scan.js';
import { invalid } from '../types/errors.js';
import { checkSettings, type Terminal } from './check-command.js';
import type { InitOptions } from './command-line.js';
import { initialConfig } from './init-config.js';
import { javascriptConfig, javascriptModule } from './init-javascript.js';
import { inspectModel } from './inspect.js';
import { reportText } from './report.js';

/**
 * `conch init`. Makes the whole folder beside its place and moves it there, so that a server that polls never sees half of it. Resolves
 * with the exit code; throws a ServerError, and leaves nothing behind, where something is there already or the file cannot be served.
 */
export async function runInit(options: InitOptions, terminal: Terminal): Promise<number> {
  const directory = resolve(options.directory);
  const name = basename(directory);
  await refuseExisting(directory);
  const fill =
    options.model === null
      ? fillerOfCode(name, options.maxBatchSize)
      : await fillerOf(name, resolve(options.model), options.maxBatchSize);
  await mkdir(dirname(directory), { recursive: true });
  // Scans pass folders with a dot over.
  const draft = await mkdtemp(join(dirname(directory), '.conch-init-'));
  try {
    const made = join(draft, name);
    await fill(made);
    await check(draft, name, terminal);
    await rename(made, directory).catch((error: NodeJS.ErrnoException) => {
      throw invalid(`${directory} cannot be made (${error.code})`);
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  terminal.out(`${directory} is ready: conch serve ${dirname(directory)}\n`);
  return 0;
}

/** An empty folder may be there: it says where the model is to be. */
async function refuseExisting(directory: string): Promise<void> {
  const info = await stat(directory).catch(() => null);
  if (info === null) return;
  if (info.isDirectory() && (await readdir(directory)).length === 0) return;
  throw invalid(`${directory} is there already, and nothing is written over: take another name, or take it away`);
}

async function refuseOther(file: string): Promise<void> {
  const info = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw invalid(`--model: ${file} cannot be read (${error.code})`);
  });
  if (!info.isFile()) throw invalid(`--model: expected an ONNX file, but ${file} is none`);
}

/** Writes what belongs in a model's folder. */
type Fill = (directory: string) => Promise<void>;

function fillerOfCode(name: string, maxBatchSize: number | null): Fill {
  return async (directory) => {
    await mkdir(join(directory, '1'), { recursive: true });
    await writeFile(join(directory, 'config.pbtxt'), javascriptConfig(name, maxBatchSize));
    await writeFile(join(directory, '1', 'model.js'), javascriptModule);
  };
}

async function fillerOf(name: string, file: string, maxBatchSize: number | null): Promise<Fill> {
  await refuseOther(file);
  const signature = await readOnnxSignature(file);
  const weights = externalFiles(file);
  const text = initialConfig(name, signature, basename(file), maxBatchSize);
  return (directory) => fill(directory, file, weights, text);
}

async function fill(directory: string, file: string, weights: readonly string[], text: string): Promise<void> {
  const version = join(directory, '1');
  await mkdir(version, { recursive: true });
  await writeFile(join(directory, 'config.pbtxt'), text);
  // Where the file system can, a copy shares its bytes with the original.
  await copyFile(file, join(version, 'model.onnx'), constants.COPYFILE_FICLONE);
  for (const name of weights) {
    const target = join(version, name);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(dirname(file), name), target, constants.COPYFILE_FICLONE).catch(
      (error: NodeJS.ErrnoException) => {
        throw invalid(`${file} has weights in '${name}' beside it, which cannot be read (${error.code})`);
      },
    );
  }
}

/** What is made is held against what is checked. */
async function check(repository: string, name: string, terminal: Terminal): Promise<void> {
  const settings = await checkSettings({
    configName: '',
    autoComplete: true,
    defaultMaxBatchSize: null,
    gpus: null,
    cores: null,
  });
  const findings = await inspectModel(await scanModel(repository, name, ''), settings);
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  throw invalid(`the model cannot be served:\n${reportText({ models: 1, findings: errors, fixed: [] }, terminal)}`);
}
