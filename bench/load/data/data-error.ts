/** What the user gave cannot be sent; the message names the place, what was expected and found, and how to mend it. */
export class DataError extends Error {
  override readonly name = 'DataError';
}
