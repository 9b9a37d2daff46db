import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { systemClock } from '../../src/base/clock.js';
import { buildDataSet } from './data/build-data-set.js';
import { openNetworkGenerator } from './generator/open-generator.js';
import type { LoadOptions } from './options.js';
import type { RunParts } from './run-load.js';
import { GrpcTarget } from './target/grpc-target.js';
import { HttpTarget } from './target/http-target.js';
import { ServerObserver } from './target/server-observer.js';
import { parseUrl, type TargetUrl } from './target/url.js';
import type { TlsSettings } from './wires/wire.js';

/** What a run over the network is made of. */
export const networkParts: RunParts = {
  clock: systemClock,
  now: () => new Date(),
  readText: (file) => readFile(file, 'utf8'),
  connect(options) {
    if (options.tls !== null) checkTls(options.tls);
    const url = urlOf(options);
    return options.protocol === 'grpc' ? new GrpcTarget(url, options.headers) : new HttpTarget(url, options.headers);
  },
  loadData: (options, model) => buildDataSet(model, options.data, options.batchSize),
  openGenerator: (setting) => openNetworkGenerator(setting, urlOf(setting.options)),
  observe: ({ options, target, model }) => ServerObserver.open(options, urlOf(options), target, model),
};

function urlOf({ protocol, url, tls }: LoadOptions): TargetUrl {
  return parseUrl(protocol, url, tls);
}

/** Throws an error that says what of it is of no use: OpenSSL's own names neither file nor flag. */
function checkTls({ ca, certificate: cert, key }: TlsSettings): void {
  const pem = 'a PEM file is expected';
  const parts: readonly (readonly [string, SecureContextOptions, string])[] = [
    ['the certificates of authorities', ca === '' ? {} : { ca }, pem],
    ['the certificate of the client', cert === '' ? {} : { cert }, pem],
    ['the private key of the client', key === '' ? {} : { key }, pem],
    [
      'the private key of the client',
      cert === '' || key === '' ? {} : { cert, key },
      'that of its certificate is expected',
    ],
  ];
  for (const [what, options, expected] of parts) {
    try {
      createSecureContext(options);
    } catch (error) {
      throw new Error(`TLS: ${what} cannot be used: ${(error as Error).message}; ${expected}`);
    }
  }
}
