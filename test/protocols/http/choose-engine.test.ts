import { expect, test } from 'vitest';
import { chooseHttpEngine } from '../../../src/protocols/http/choose-engine.js';
import { findUwsBinary, loadUws, type Uws } from '../../../src/protocols/http/uws-binary.js';

const node20 = { platform: 'linux', arch: 'x64', modules: '115' };
const node22 = { ...node20, modules: '127' };

const available = () => ({}) as Uws;
const missing = () => 'uWebSockets.js has no binary for Node 22.1.0 on linux x64';

test('finds a binary for this build of Node where either package keeps it', () => {
  const registry = (path: string) => path === '/p/binaries/uws_linux_x64_115.node';
  const github = (path: string) => path === '/p/uws_linux_x64_127.node';
  expect(findUwsBinary('/p', node20, registry)).toBe('/p/binaries/uws_linux_x64_115.node');
  expect(findUwsBinary('/p', node22, registry)).toBeNull();
  expect(findUwsBinary('/p', node22, github)).toBe('/p/uws_linux_x64_127.node');
});

test('loads the native module itself, or says in words why not', () => {
  const uws = loadUws();
  if (typeof uws === 'string') expect(uws).toContain('uWebSockets.js');
  else expect(uws).toHaveProperty('us_listen_socket_close');
});

test.each(['auto', 'net'] as const)('%s is net, and does not even look for uws', async (choice) => {
  const look = () => {
    throw new Error('loaded');
  };
  const { engine, line } = await chooseHttpEngine(choice, look);
  expect(engine.name).toBe('net');
  expect(line).toContain('--http-engine=uws');
});

test('uws as asked is uws where it can be had', async () => {
  const { engine, line } = await chooseHttpEngine('uws', available);
  expect(engine.name).toBe('uws');
  expect(line).toContain('--http-engine=net');
});

test('uws as asked is refused where it cannot be had, with the way to get it', async () => {
  await expect(chooseHttpEngine('uws', missing)).rejects.toThrow('npm i uNetworking/uWebSockets.js#v20.58.0');
});
