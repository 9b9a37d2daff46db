import { isUtf8 } from 'node:buffer';
import { DataError } from '../data/data-error.js';
import type { TensorData } from '../data/data-set.js';
import { type FixedElement, type FixedType, unpackElements, unpackStrings } from '../data/elements.js';

/** The elements as a flat JSON array, each exactly. Throws a DataError for BF16, and for strings that are not UTF-8. */
export function jsonData(tensor: TensorData): string {
  if (tensor.datatype === 'BYTES') return JSON.stringify(stringsOf(tensor));
  if (tensor.datatype === 'BF16') {
    throw new DataError(`input '${tensor.name}': BF16 has no JSON; send it with --input-tensor-format=binary`);
  }
  return `[${unpackElements(tensor.datatype as FixedType, tensor.bytes)
    .map(elementText)
    .join(',')}]`;
}

function stringsOf({ name, bytes }: TensorData): string[] {
  const strings = unpackStrings(bytes);
  if (strings === null)
    throw new DataError(`input '${name}': its lengths do not lead to the end of its ${bytes.length} bytes`);
  return strings.map((string, nth) => {
    if (isUtf8(string)) return string.toString();
    throw new DataError(
      `input '${name}', element ${nth}: it is not UTF-8, which JSON needs; send it with --input-tensor-format=binary`,
    );
  });
}

/** NaN, Infinity and -Infinity as Triton reads them; a zero keeps its sign. */
function elementText(element: FixedElement): string {
  return Object.is(element, -0) ? '-0.0' : String(element);
}
