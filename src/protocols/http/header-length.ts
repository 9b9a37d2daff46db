import { invalid } from '../../types/errors.js';
import { WHOLE_BODY } from '../body-checks.js';

/**
 * The number of JSON bytes before the binary tensors; 0 = a raw request, WHOLE_BODY = there is no `Inference-Header-Content-Length`. Throws INVALID_ARGUMENT for what is no such number
 * (fact sheet 1.7; never a silent prefix, as measured in 13 item 10).
 * @param bodyBytes as announced; -1 = not known
 */
export function parseHeaderLength(text: string, bodyBytes: number): number {
  if (text === '') return WHOLE_BODY;
  if (!/^[+-]?[0-9]+$/.test(text)) throw invalid(`Unable to parse Inference-Header-Content-Length, got: ${text}`);
  const length = Number(text);
  if (length < -2147483648 || length > 2147483647) {
    throw invalid(
      `Unable to parse Inference-Header-Content-Length, value is out of range [ -2147483648, 2147483647 ], got: ${text}`,
    );
  }
  if (length < 0)
    throw invalid(`inference header size should be in range (0, ${Math.max(0, bodyBytes)}), got: ${text}`);
  return length;
}
