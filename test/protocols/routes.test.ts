import { expect, test } from 'vitest';
import { Router } from '../../src/protocols/routes.js';

function isRemembered(path: string): boolean {
  const router = new Router();
  const first = router.match(path);
  // The last path is known anyway.
  router.match('/v2');
  return router.match(path) === first;
}

test('matched paths are remembered, but for long ones: clients could fill the memory with them', () => {
  expect(isRemembered('/v2/models/simple/infer')).toBe(true);
  const long = `/v2/models/${'a'.repeat(10_000)}/infer`;
  expect(new Router().match(long)!.endpoint).toBe('infer');
  expect(isRemembered(long)).toBe(false);
});
