import { readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const lib = fileURLToPath(new URL('../lib', import.meta.url));
const files = (await readdir(lib, { recursive: true })).filter((file) => file.endsWith('.ts'));

/** What each room may import; its own files always. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  store: ['errors', 'deadline', 'aes'],
  request: ['store', 'errors', 'events', 'emitter', 'aes'],
  delivery: ['request', 'store', 'errors', 'events', 'emitter', 'settings', 'deadline', 'optional-package'],
  channels: [
    'delivery',
    'request',
    'store',
    'errors',
    'events',
    'emitter',
    'settings',
    'deadline',
    'html',
    'optional-package',
  ],
  provider: [
    'delivery',
    'request',
    'store',
    'errors',
    'events',
    'emitter',
    'options',
    'settings',
    'deadline',
  ],
  http: ['provider', 'request', 'errors', 'options', 'settings', 'page-texts', 'html', 'optional-package'],
  // What an option is given is described where it is made.
  options: ['errors', 'store', 'request', 'channels', 'page-texts'],
  settings: ['errors', 'store', 'options', 'channels', 'page-texts'],
  'optional-package': ['errors'],
  'page-texts': [],
  html: [],
  events: ['errors'],
  audit: ['events'],
  emitter: ['audit', 'events'],
  working: ['channels', 'delivery', 'provider', 'request', 'store', 'errors', 'emitter', 'settings'],
  errors: [],
  deadline: [],
  aes: [],
};

const roomOf = (file: string): string => String(file.split('/')[0]?.replace(/\.(ts|js)$/, ''));

test.each(files.filter((file) => roomOf(file) in ARROWS))(
  '%s imports only what its room may',
  async (file) => {
    const source = await readFile(join(lib, file), 'utf8');
    const imported = [...source.matchAll(/from '(\.[^']+)'/g)].map(([, path]) =>
      roomOf(posix.normalize(posix.join(posix.dirname(file), String(path)))),
    );
    const room = roomOf(file);
    for (const other of imported) expect([room, ...(ARROWS[room] ?? [])]).toContain(other);
  },
);

test.each(files.filter((file) => /^(request|store|delivery|channels)\//.test(file)))(
  '%s knows neither Express nor oidc-provider',
  async (file) => {
    expect(await readFile(join(lib, file), 'utf8')).not.toMatch(/from '(express|oidc-provider)'/);
  },
);
