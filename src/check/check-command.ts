import { availableParallelism } from 'node:os';
import { findGpus } from '../backends/gpus.js';
import { DEFAULT_MAX_BATCH_SIZE } from '../backends/onnxruntime.js';
import { asServerError } from '../types/errors.js';
import type { CheckOptions, UnderstandingOptions } from './command-line.js';
import { count, type Finding, sortFindings } from './finding.js';
import { mend, replaceFile } from './fix.js';
import { type Report, reportJson, reportText } from './report.js';
import { type CheckedRepository, checkRepositories, refuseOther } from './repository.js';
import type { CheckSettings } from './settings.js';

/** Where a command says what it has to say. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  readonly workingDirectory: string;
  readonly colors: boolean;
}

/** Backends that models can have here. Ensembles have none. */
const backends = ['onnxruntime', 'tensorflow', 'javascript'];

export async function checkSettings(options: UnderstandingOptions): Promise<CheckSettings> {
  const gpus = options.gpus === null ? await findGpus() : Array.from({ length: options.gpus }, (_, index) => index);
  return {
    machine: { gpus, cores: options.cores ?? availableParallelism() },
    autoComplete: options.autoComplete,
    defaultMaxBatchSize: options.defaultMaxBatchSize ?? DEFAULT_MAX_BATCH_SIZE,
    backends,
  };
}

/** `conch check`. Resolves with the exit code; throws INVALID_ARGUMENT where nothing can be checked. */
export async function runCheck(options: CheckOptions, terminal: Terminal): Promise<number> {
  const settings = await checkSettings(options);
  for (const folder of options.folders) await refuseOther(folder);
  const checked = await checkRepositories(options.folders, options.configName, settings);
  const report = options.fix ? await fix(checked, settings, terminal) : { ...plain(checked), fixed: [] };
  terminal.out(options.json ? reportJson(report) : reportText(report, terminal));
  const refused = count(report.findings, 'error') + (options.strict ? count(report.findings, 'warning') : 0);
  return refused > 0 ? 1 : 0;
}

function plain({ models, findings }: CheckedRepository): { models: number; findings: readonly Finding[] } {
  return { models: models.length, findings };
}

/** Mends and writes one model after the other. A file that cannot be written keeps its findings. */
async function fix(checked: CheckedRepository, settings: CheckSettings, terminal: Terminal): Promise<Report> {
  const fixed: Finding[] = [];
  const left: Finding[] = [];
  for (const entry of checked.models) {
    const found = checked.findings.filter(({ model }) => model === entry.name);
    if (!found.some(({ edits }) => edits.length > 0)) {
      left.push(...found);
      continue;
    }
    const mended = await mend(entry, settings, checked.neighbourhood);
    try {
      if (mended.fixed.length > 0) await replaceFile(entry.configFile, entry.configText, mended.text);
      checked.neighbourhood.changed({ ...entry, configText: mended.text });
      fixed.push(...mended.fixed);
      left.push(...mended.findings);
    } catch (error) {
      terminal.error(`${asServerError(error).message}\n`);
      left.push(...found);
    }
  }
  return { models: checked.models.length, findings: sortFindings(left), fixed: sortFindings(fixed) };
}
