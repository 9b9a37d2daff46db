import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { mapBounded } from '../repository/bounded.js';
import { type ModelEntry, scanRepositories } from '../repository/scan.js';
import { invalid } from '../types/errors.js';
import { type Finding, sortFindings } from './finding.js';
import { inspectModel } from './inspect.js';
import { Neighbourhood } from './neighbourhood.js';
import type { CheckSettings } from './settings.js';

export interface CheckedRepository {
  readonly models: readonly ModelEntry[];
  readonly findings: readonly Finding[];
  readonly neighbourhood: Neighbourhood;
}

/** Models looked at at a time. */
const PARALLEL_MODELS = 8;

/** All models of these repositories. Throws INVALID_ARGUMENT where one cannot be read. */
export async function checkRepositories(
  folders: readonly string[],
  configName: string,
  settings: CheckSettings,
): Promise<CheckedRepository> {
  const models = [...(await scanRepositories({ repositories: folders, configName, namespacing: false })).values()];
  const neighbourhood = new Neighbourhood(models, settings);
  const inspect = (entry: ModelEntry) => inspectModel(entry, settings, neighbourhood);
  const findings = await mapBounded(models, PARALLEL_MODELS, inspect);
  return { models, findings: sortFindings(findings.flat()), neighbourhood };
}

/** Throws INVALID_ARGUMENT for what is no folder of models; a model's own folder is a likely mistake. */
export async function refuseOther(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    throw invalid(`expected a folder of models, but ${folder} cannot be read (${error.code})`);
  });
  if (!names.includes('config.pbtxt')) return;
  throw invalid(`${folder} is a model's folder: check the folder that it is in, ${resolve(folder, '..')}`);
}
