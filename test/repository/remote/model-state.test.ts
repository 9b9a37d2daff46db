import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelState, planState } from '../../../src/repository/remote/model-state.js';

const object = (key: string, etag = 'e', bytes = 1) => ({ key, etag, bytes });

describe('the state of a model', () => {
  it('has a name that says whether anything differs, in whatever order it is listed', () => {
    const listing = [object('p/m/1/a'), object('p/m/b')];
    const { id } = modelState('p/m/', listing);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(modelState('p/m/', [...listing].reverse()).id).toBe(id);
    const others = [
      [object('p/m/1/a')],
      [object('p/m/1/a', 'f'), listing[1]!],
      [object('p/m/1/a', 'e', 2), listing[1]!],
    ];
    for (const other of others) expect(modelState('p/m/', other).id).not.toBe(id);
  });

  it('refuses a file that is also a folder, and two slashes at the end', () => {
    expect(() => modelState('m/', [object('m/1'), object('m/1/a')])).toThrow('another key that has it as its folder');
    expect(() => modelState('m/', [object('m/1//', 'e', 0)])).toThrow('an empty name');
  });

  it('refuses or keeps inside of the folder whatever a key says', () => {
    const piece = fc.constantFrom('/', '..', '.', 'a', '\\', '\u0000', '\n', 'ü', '1');
    const key = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => `m/${pieces.join('')}`);
    fc.assert(
      fc.property(key, (text) => {
        let objects: readonly { path: string }[] = [];
        try {
          objects = modelState('m/', [object(text, 'e', 0)]).objects;
        } catch (error) {
          expect((error as Error).message).toMatch(/is refused: expected a path inside the model's folder/);
        }
        for (const { path } of objects) {
          const names = path.replace(/\/$/, '').split('/');
          expect(names.every((name) => !['', '.', '..'].includes(name) && !/[\\\0\n]/.test(name))).toBe(true);
        }
      }),
    );
  });
});

describe('a plan', () => {
  it('takes over what is the same, and downloads the rest', () => {
    const before = modelState('m/', [object('m/a'), object('m/b'), object('m/1/c', 'old'), object('m/gone')]);
    const wanted = modelState('m/', [object('m/a'), object('m/b', 'e', 2), object('m/1/c', 'new'), object('m/2/d/e')]);
    const plan = planState(wanted, before);
    expect(plan.folders).toEqual(['1/', '2/', '2/d/']);
    expect(plan.reused.map(({ path }) => path)).toEqual(['a']);
    expect(plan.downloaded.map(({ path }) => path)).toEqual(['1/c', '2/d/e', 'b']);
  });

  it('without a state before downloads everything, and makes folders that have an object', () => {
    const plan = planState(modelState('m/', [object('m/', 'e', 0), object('m/x/y/', 'e', 0), object('m/a')]), null);
    expect(plan).toMatchObject({ folders: ['x/', 'x/y/'], reused: [] });
    expect(plan.downloaded).toHaveLength(1);
  });
});
