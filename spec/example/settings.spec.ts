import { type Env, isCalledHere, settingsOf } from '../../example-app/settings.js';

const PING = '/demo/callbacks/ping';

test.each<[string, Env, string, boolean]>([
  ['inside the example', {}, `http://127.0.0.1:3000${PING}`, false],
  ['inside it on another port', { PORT: '3001' }, `http://127.0.0.1:3001${PING}`, false],
  [
    'inside it behind a proxy',
    { PORT: '3001', ISSUER: 'https://op.example' },
    `http://127.0.0.1:3001${PING}`,
    false,
  ],
  [
    'at the process that the issuer names',
    { PORT: '3001', ISSUER: 'http://localhost:3000' },
    `http://127.0.0.1:3000${PING}`,
    true,
  ],
  ['where it is set to', { PING_ENDPOINT: 'https://till.example/ping' }, 'https://till.example/ping', true],
  [
    'inside the example where it is set to that',
    { PING_ENDPOINT: `http://127.0.0.1:3000${PING}` },
    `http://127.0.0.1:3000${PING}`,
    false,
  ],
])('the server calls %s', (_where, env, url, elsewhere) => {
  expect(settingsOf(env).callbacks.ping).toEqual({ url, elsewhere });
});

test.each([
  ['PING_ENDPOINT', 'till.example'],
  ['PUSH_ENDPOINT', 'ftp://till.example/push'],
])('%s cannot be %s', (name, value) => {
  expect(() => settingsOf({ [name]: value })).toThrow(`${name} must be a URL such as`);
});

test('polls come every five seconds, or as often as INTERVAL says', () => {
  expect(settingsOf({}).interval).toBe(5);
  expect(settingsOf({ INTERVAL: '60' }).interval).toBe(60);
  for (const INTERVAL of ['0', '61', '1.5', 'often']) {
    expect(() => settingsOf({ INTERVAL })).toThrow('INTERVAL must be a number of seconds from 1 to 60');
  }
});

test.each<[Env, boolean]>([
  [{}, true],
  [{ PING_ENDPOINT: 'https://till.example/ping' }, true],
  [{ PING_ENDPOINT: 'https://till.example/ping', PUSH_ENDPOINT: 'https://till.example/push' }, false],
])('with %j, clients on this machine may be called: %p', (env, here) => {
  expect(isCalledHere(settingsOf(env))).toBe(here);
});
