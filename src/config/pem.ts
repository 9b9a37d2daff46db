import { readFileSync } from 'node:fs';
import { invalid } from '../types/errors.js';

/** Throws INVALID_ARGUMENT that names the flag and the file. @param flag with its dashes, and what else says where the file is named */
export function readPem(flag: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw invalid(`${flag}: ${file} cannot be read: ${(error as Error).message}`);
  }
}
