import { describe, expect, test } from 'vitest';
import { quoted, statusTrailers, trailersOnly } from '../../../src/protocols/grpc/header-blocks.js';
import { DumbDecoder } from '../../transport/http2/hpack/dumb-hpack.js';

function messageOf(text: string): string {
  return Object.fromEntries(new DumbDecoder().decode(statusTrailers(13, text).bytes))['grpc-message']!;
}

/** gRPC C-core refuses more than 8 KiB of metadata, and its user sees no status. */
describe('a message that is too long is cut', () => {
  test('of plain text', () => {
    expect(messageOf('x'.repeat(4096))).toBe('x'.repeat(4096));
    expect(messageOf('x'.repeat(4097))).toBe(`${'x'.repeat(4096)}...`);
  });

  test.each(['é', '€', '😀', '%', '\n'])('of %j, behind a whole character', (character) => {
    const message = messageOf(`x${character.repeat(3000)}`);
    expect(message.length).toBeLessThanOrEqual(4099);
    expect(decodeURIComponent(message)).toMatch(new RegExp(`^x(?:${character}){300,1500}[.]{3}$`, 'u'));
  });

  test('and costs what its beginning costs', () => {
    // Three octets for each of these would be more than a string can hold.
    expect(messageOf('\n'.repeat(200_000_000)).length).toBeLessThan(4100);
  });
});

test('a field of the client, which may have cost it an octet, is repeated in small measure', () => {
  expect(quoted('/a.Service/Method')).toBe('/a.Service/Method');
  expect(quoted('é'.repeat(4000))).toBe(`${'é'.repeat(100)}...`);
  expect(trailersOnly(12, quoted('é'.repeat(4000))).bytes.length).toBeLessThan(1000);
});
