import { readFile } from 'node:fs/promises';
import { systemClock } from '../../src/base/clock.js';
import { buildDataSet } from './data/build-data-set.js';
import { openNetworkGenerator } from './generator/open-generator.js';
import type { LoadOptions } from './options.js';
import type { RunParts } from './run-load.js';
import { GrpcTarget } from './target/grpc-target.js';
import { HttpTarget } from './target/http-target.js';
import { ServerObserver } from './target/server-observer.js';
import { parseUrl, type TargetUrl } from './target/url.js';

/** What a run over the network is made of. */
export const networkParts: RunParts = {
  clock: systemClock,
  now: () => new Date(),
  readText: (file) => readFile(file, 'utf8'),
  connect: (options) =>
    options.protocol === 'grpc'
      ? new GrpcTarget(urlOf(options), options.headers)
      : new HttpTarget(urlOf(options), options.headers),
  loadData: (options, model) => buildDataSet(model, options.data, options.batchSize),
  openGenerator: (setting) => openNetworkGenerator(setting, urlOf(setting.options)),
  observe: ({ options, target, model }) => ServerObserver.open(options, urlOf(options), target, model),
};

function urlOf({ protocol, url, tls }: LoadOptions): TargetUrl {
  return parseUrl(protocol, url, tls);
}
