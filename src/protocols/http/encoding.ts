import { ServerError } from '../../types/errors.js';

export type Encoding = 'identity' | 'gzip' | 'deflate';

/**
 * The compression of an answer, from `Accept-Encoding`: of identity, gzip and deflate the one with the highest weight, of equal ones
 * the first; q=0 excludes; nothing usable means identity (fact sheet 1.8).
 */
export function chooseEncoding(acceptEncoding: string): Encoding {
  if (acceptEncoding === '') return 'identity';
  let chosen: Encoding = 'identity';
  let highest = 0;
  for (const part of acceptEncoding.split(',')) {
    const [name, ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const weight = weightOf(parameters);
    if (!isEncoding(name) || weight <= highest) continue;
    chosen = name;
    highest = weight;
  }
  return chosen;
}

function isEncoding(name: string | undefined): name is Encoding {
  return name === 'identity' || name === 'gzip' || name === 'deflate';
}

function weightOf(parameters: readonly string[]): number {
  const text = parameters.find((parameter) => parameter.startsWith('q='));
  if (text === undefined) return 1;
  const weight = Number(text.slice(2));
  return weight >= 0 && weight <= 1 ? weight : 0;
}

/** Of a request: UNSUPPORTED, and the answer says which encodings are not (fact sheet 1.2). */
export class UnsupportedEncoding extends ServerError {
  constructor() {
    super('UNSUPPORTED', 'Unsupported compression type');
  }
}
