import { modelConfigToJson } from '../config/config-json.js';
import type { Mark } from '../config/marks.js';
import type { ModelConfig } from '../config/model-config.js';
import { invalid, ServerError } from '../types/errors.js';
import type { ConfigOptions } from './command-line.js';
import type { ShownConfig } from './shown-config.js';

const TIMEOUT_MS = 10_000;

/** The configuration of a model in a running server, this one or Triton. Throws a ServerError that says what the server said. */
export async function askServer(options: ConfigOptions): Promise<ShownConfig> {
  const url = configUrl(options);
  const response = await fetch(url, {
    headers: { 'Conch-Marks': 'true' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error: Error) => {
    const cause = error.cause instanceof Error ? error.cause.message : error.message;
    throw new ServerError('UNAVAILABLE', `${url} cannot be asked: ${cause || error.message}`);
  });
  const text = await response.text();
  const body = readObject(text);
  if (!response.ok || body === null) {
    const said = typeof body?.error === 'string' ? body.error : text.slice(0, 200);
    throw new ServerError('UNAVAILABLE', `${url} answers ${response.status}: ${said}`);
  }
  const isMarked = typeof body.marks === 'object' && body.marks !== null && typeof body.config === 'object';
  const config = (isMarked ? body.config : body) as ModelConfig;
  return {
    config,
    configJson: isMarked ? modelConfigToJson(config) : text.trim(),
    marks: isMarked ? new Map(Object.entries(body.marks as Record<string, Mark>)) : null,
    about: `${config.name}: ${url}`,
    modelFile: 'the model file',
  };
}

function readObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** From the URL of a model, of its configuration, or of a server with a name behind it. Throws INVALID_ARGUMENT. */
export function configUrl({ from, name, version }: Pick<ConfigOptions, 'from' | 'name' | 'version'>): string {
  if (!URL.canParse(from)) throw invalid(`'${from}' is no URL`);
  const url = new URL(from);
  const base = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  const match = /^(.*\/v2\/models\/[^/]+)(\/versions\/[0-9]+)?(?:\/config)?$/.exec(base);
  if (match === null && name === '') {
    throw invalid(`'${from}' names no model: expected http://HOST:PORT/v2/models/NAME, or the name behind the URL`);
  }
  if (match !== null && name !== '') throw invalid(`'${from}' names a model, and so does '${name}'`);
  const model = match?.[1] ?? `${base.replace(/\/v2(\/models)?$/, '')}/v2/models/${encodeURIComponent(name)}`;
  const versions = version === 0 ? (match?.[2] ?? '') : `/versions/${version}`;
  return `${model}${versions}/config`;
}
