import { basename, dirname, resolve } from 'node:path';
import { readOnnxSignature } from '../backends/onnx-file.js';
import { modelPath } from '../backends/onnxruntime.js';
import { modelConfigToJson } from '../config/config-json.js';
import { fieldText } from '../config/config-source.js';
import { formatModelConfig } from '../config/format-pbtxt.js';
import { markText, markValues } from '../config/marks.js';
import type { ModelConfig } from '../config/model-config.js';
import { parseWithSource } from '../config/pbtxt.js';
import { scanModel } from '../repository/scan.js';
import { wantedVersions } from '../repository/version-policy.js';
import { invalid } from '../types/errors.js';
import { checkSettings, type Terminal } from './check-command.js';
import type { ConfigOptions } from './command-line.js';
import { takeSteps } from './effective.js';
import { inspectModel } from './inspect.js';
import { askServer } from './served-config.js';
import type { ShownConfig } from './shown-config.js';

/** `conch config`. Resolves with the exit code; throws a ServerError where there is no configuration to show. */
export async function runConfig(options: ConfigOptions, terminal: Terminal): Promise<number> {
  const isUrl = /^https?:\/\//i.test(options.from);
  if (!isUrl && options.name !== '')
    throw invalid(`expected a URL in front of a model's name, found '${options.from}'`);
  const shown = isUrl ? await askServer(options) : await readFolder(options, terminal);
  terminal.out(options.json ? shownJson(shown) : shownText(shown));
  return 0;
}

async function readFolder(options: ConfigOptions, terminal: Terminal): Promise<ShownConfig> {
  const directory = resolve(options.from);
  const entry = await scanModel(dirname(directory), basename(directory), options.configName);
  if (entry.problem !== '') throw invalid(entry.problem);
  if (entry.configFile === '' && entry.versions.length === 0) {
    throw invalid(`expected a model's folder, but ${directory} has neither config.pbtxt nor a version`);
  }
  const settings = await checkSettings(options);
  const { config: written, source } = parseWithSource(entry.configText, entry.configFile);
  const first = takeSteps(written, entry, null, settings);
  const version = chosenVersion(
    options.version,
    entry.versions.map((each) => each.version),
    first.effective,
  );
  const found = entry.versions.find((each) => each.version === version);
  const isOnnx = found !== undefined && first.effective.backend === 'onnxruntime';
  const path = isOnnx
    ? await modelPath({ name: entry.name, versionDirectory: found.directory, config: first.effective })
    : '';
  const steps = path === '' ? first : takeSteps(written, entry, await readOnnxSignature(path), settings);
  const errors = (await inspectModel(entry, settings)).filter(({ severity }) => severity === 'error');
  if (errors.length > 0) terminal.error(`the server refuses this model: conch check ${dirname(directory)} says why\n`);
  return {
    config: steps.effective,
    configJson: modelConfigToJson(steps.effective),
    marks: markValues(steps, source),
    about: `${entry.name}${version === 0 ? '' : `, version ${version}`}: ${entry.configFile || directory}`,
    modelFile: path === '' ? '' : path.slice(directory.length + 1),
  };
}

/** 0 = there is none. */
function chosenVersion(asked: number, available: readonly number[], config: ModelConfig): number {
  if (asked === 0) return wantedVersions(available, config.version_policy).versions.at(-1) ?? 0;
  if (available.includes(asked)) return asked;
  throw invalid(`version ${asked} is not there; expected one of ${available.join(', ')}`);
}

function shownText({ config, marks, about, modelFile }: ShownConfig): string {
  const head = marks === null ? [about, 'The server does not say which values were given.'] : [about];
  const text = formatModelConfig(config, (path) => {
    const mark = marks?.get(fieldText(path));
    return mark === undefined ? '' : markText(mark, modelFile);
  });
  return `${head.map((line) => `# ${line}\n`).join('')}${text}`;
}

function shownJson({ configJson, marks, modelFile }: ShownConfig): string {
  if (marks === null) return `{"config":${configJson},"marks":null}\n`;
  const texts = Object.fromEntries([...marks].map(([path, mark]) => [path, markText(mark, modelFile)]));
  return `{"config":${configJson},"marks":${JSON.stringify(texts)}}\n`;
}
