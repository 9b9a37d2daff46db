import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Contest } from '../core/contest.js';

/** The model that a chain is made of: it answers with as many tensors, of the same shapes, as it is given. */
const LINK = 'simple_b64';

/** Models of a repository. */
export interface Chain {
  readonly repository: string;
  readonly ensemble: string;
  /** The first of its models, alone. */
  readonly link: string;
}

/** A repository with `links` models, each a copy of the same, and the ensemble of all of them, one behind the other. */
export async function chainOf(links: number, contest: Contest): Promise<Chain> {
  const repository = await contest.repository('chain', `bench/models/${LINK}`);
  const source = join(repository, LINK);
  const config = await readFile(join(source, 'config.pbtxt'), 'utf8');
  const model = await readFile(join(source, '1/model.onnx'));
  const names = [LINK];
  for (let nth = 1; nth < links; nth++) {
    const name = `${LINK}_${nth}`;
    await mkdir(join(repository, name, '1'), { recursive: true });
    await writeFile(join(repository, name, 'config.pbtxt'), config.replace(`"${LINK}"`, `"${name}"`));
    await writeFile(join(repository, name, '1/model.onnx'), model);
    names.push(name);
  }
  const ensemble = `chain_of_${links}`;
  await mkdir(join(repository, ensemble, '1'), { recursive: true });
  await writeFile(join(repository, ensemble, 'config.pbtxt'), chainConfig(ensemble, config, names));
  return { repository, ensemble, link: LINK };
}

/** The tensors of the ensemble are called as those of the model are. */
function chainConfig(name: string, link: string, models: readonly string[]): string {
  const tensors = link.slice(link.indexOf('max_batch_size'), link.indexOf('dynamic_batching'));
  const last = models.length - 1;
  const steps = models.map((model, nth) => {
    const maps = [0, 1].map((tensor) => {
      const from = nth === 0 ? `INPUT${tensor}` : `t${nth - 1}_${tensor}`;
      const to = nth === last ? `OUTPUT${tensor}` : `t${nth}_${tensor}`;
      return `input_map { key: "INPUT${tensor}" value: "${from}" } output_map { key: "OUTPUT${tensor}" value: "${to}" }`;
    });
    return `step { model_name: "${model}" model_version: -1 ${maps.join(' ')} }`;
  });
  return `name: "${name}"\nplatform: "ensemble"\n${tensors}ensemble_scheduling {\n  ${steps.join('\n  ')}\n}\n`;
}
