import {
  CibaError,
  type CibaOptions,
  type CompatApproval,
  type CompatOptions,
  createCiba,
  type DeliveryOptions,
  type EncryptionOptions,
  type LimitOptions,
  type LoginHintTokenIssuer,
  type LoginHintTokenOptions,
  type LongPollingOptions,
  type PageOptions,
  type PasskeyOptions,
  type ReplicaOptions,
} from 'oidc-provider-ciba';
import { settingsOf } from '../lib/settings/settings.js';
import { pluginServer } from './support/server.js';

const channel = (name: string): object => ({ name, send: async () => {} });
const issuer = { issuer: 'https://tokens.example', jwksUri: 'https://tokens.example/jwks' };

/** What each option refuses; the compiler keeps the tables complete. */
const WRONG: Readonly<Record<keyof CibaOptions, readonly unknown[]>> = {
  profile: ['fapi', true, null],
  redis: [null, 'redis://localhost', {}, { defineCommand: () => {} }],
  replicas: [true, 1, [], {}, null],
  prefix: ['', 'a b', 'a{b}', 'x'.repeat(65), 7, null],
  interval: [0, 61, 1.5, '5', Number.NaN, Number.POSITIVE_INFINITY, null],
  defaultExpiry: [9, 86_401, 10.5, '300', null],
  maxExpiry: [9, 86_401, 10.5, '600', null],
  rememberCredentials: [-1, 301, 1.5, '60', false, null],
  longPolling: [true, 30, [], null],
  replayGrace: [-1, 61, 1.5, '5', null],
  retention: [59, 86_401, 60.5, '600', null],
  encryption: [true, [], 'key', null],
  limits: [true, 10, [], 'none', null],
  resolveLoginHint: ['alice', {}, null],
  loginHintToken: [true, [], 'jwt', null],
  idTokenHintMaxAge: [59, 31_536_001, 60.5, '60', false, null],
  resolvePairwiseSubject: ['alice', {}, null],
  verifyUserCode: ['1234', true, null],
  hideUnknownUsers: ['yes', 1, null],
  requireAcr: ['true', 1, null],
  authenticateDecision: ['alice', {}, null],
  decisionPath: ['', '/', 'ciba', '/ciba/', '/ciba//requests', '/ciba requests', '/:id', 7, null],
  channels: [
    {},
    'email',
    null,
    [null],
    ['email'],
    [{ name: 'email' }],
    [channel('')],
    [channel('E-mail')],
    [channel('x'.repeat(41))],
    [channel('email'), channel('email')],
  ],
  chain: [['email'], {}, null],
  interaction: ['/sign-in', {}, null],
  page: [true, [], '/decide', null],
  delivery: [true, [], 'ping', null],
  compat: [true, [], 'tutorial', null],
  timeOffset: [0, '0', null],
};

/** What each option of the group refuses. */
const WRONG_DELIVERY: Readonly<Record<keyof DeliveryOptions, readonly unknown[]>> = {
  worker: ['true', 1, null],
  attempts: [0, 101, 1.5, '20', null],
  notifyExpiry: ['false', 0, null],
  allowedAddresses: ['10.0.0.0/8', ['10.0.0.0/33'], ['fd00::/129'], ['example.com'], ['10.0.0/8'], [7], null],
  allowedPorts: [443, [0], [65_536], ['443'], 'all', null],
  allowLoopback: ['true', 1, null],
  ca: ['certificate', [7], [''], {}, null],
};

const WRONG_REPLICAS: Readonly<Record<keyof ReplicaOptions, readonly unknown[]>> = {
  acknowledge: [0, 6, 1.5, '1', true, null],
  within: [9, 501, 10.5, '200', null],
};

const key = new Uint8Array(32);

const WRONG_ENCRYPTION: Readonly<Record<keyof EncryptionOptions, readonly unknown[]>> = {
  keys: [
    undefined,
    key,
    [],
    ['plain'],
    ['key'],
    [new Uint8Array(31)],
    [new Uint8Array(33)],
    [key, undefined],
    ['x'.repeat(42)],
    ['x'.repeat(45)],
    ['%'.repeat(43)],
    null,
  ],
};

const WRONG_LIMITS: Readonly<Record<keyof LimitOptions, readonly unknown[]>> = {
  pendingPerAccount: [0, 1_001, true, '10', 1.5, null],
  pendingPerAccountAndClient: [0, 1_001, true, '5', 1.5, null],
  pendingPerClient: [0, 1_000_001, true, '10', 1.5, null],
  refusals: [0, 101, true, '3', 1.5, null],
  cooldown: [9, 86_401, false, '600', 10.5, null],
};

const WRONG_PAGE: Readonly<Record<keyof PageOptions, readonly unknown[]>> = {
  path: ['', '/', 'decide', '/decide/', '/a//b', '/:id', 7, null],
  baseUrl: ['', '/ciba', 'ftp://op.example', 'op.example', 'https://op.example/?a=b', 7, null],
  passkeys: [true, [], null],
  texts: [true, [], { e: {} }, { 'not a tag': {} }, { en: 'Approve' }, null],
};

const WRONG_PASSKEYS: Readonly<Record<keyof PasskeyOptions, readonly unknown[]>> = {
  of: [undefined, [], {}, null],
  used: ['used', {}, null],
  discoverable: ['yes', 1, null],
  rpId: ['', ' ', 7, 'x'.repeat(257), null],
  acr: ['', 7, null],
};

const WRONG_HINT_TOKENS: Readonly<Record<keyof LoginHintTokenOptions, readonly unknown[]>> = {
  issuers: [undefined, [], {}, 'https://tokens.example', [null], null],
  audience: ['', 7, ['https://op.example'], null],
  typ: ['', 7, null],
  maxAge: [9, 86_401, false, '300', 10.5, null],
  resolve: ['sub', {}, null],
};

const WRONG_ISSUERS: Readonly<Record<keyof LoginHintTokenIssuer, readonly unknown[]>> = {
  issuer: [undefined, '', 7, null],
  jwks: [{}, { keys: {} }, [], 'keys', null],
  jwksUri: ['', 'http://tokens.example/jwks', 'tokens.example', 7, null],
  algorithms: ['ES256', ['HS256'], ['none'], ['RS1'], [7], null],
};

const WRONG_LONG_POLLING: Readonly<Record<keyof LongPollingOptions, readonly unknown[]>> = {
  wait: [-1, 31, 1.5, '5', true, null],
  held: [0, 100_001, 1.5, '5', false, null],
};

const WRONG_COMPAT: Readonly<Record<keyof CompatOptions, readonly unknown[]>> = {
  preapproved: [true, [], 'my-client', { 'my-client': 'supersecret' }, { 'my-client': null }, null],
  opEndpoints: [true, '', 'echo', null],
  statusNotifications: ['true', 1, null],
  allowWeakSecrets: ['true', 1, null],
};

const strongSecret = 'x'.repeat(22);

const WRONG_APPROVAL: Readonly<Record<keyof CompatApproval, readonly unknown[]>> = {
  secret: [undefined, '', 'supersecret', 'x'.repeat(21), 'ü'.repeat(30), 7, null],
  subject: ['', ' ', 7, null],
};

/** The options that would be right but for one value in a group. */
const GROUPS: readonly (readonly [
  path: string,
  wrong: Readonly<Record<string, readonly unknown[]>>,
  given: (part: object) => object,
])[] = [
  ['delivery', WRONG_DELIVERY, (delivery) => ({ delivery })],
  ['replicas', WRONG_REPLICAS, (replicas) => ({ replicas })],
  ['encryption', WRONG_ENCRYPTION, (encryption) => ({ encryption })],
  ['limits', WRONG_LIMITS, (limits) => ({ limits })],
  ['longPolling', WRONG_LONG_POLLING, (longPolling) => ({ longPolling })],
  ['page', WRONG_PAGE, (page) => ({ page })],
  ['page.passkeys', WRONG_PASSKEYS, (part) => ({ page: { passkeys: { of: () => [], ...part } } })],
  ['compat', WRONG_COMPAT, (compat) => ({ compat })],
  [
    'compat.preapproved.tv',
    WRONG_APPROVAL,
    (part) => ({ compat: { preapproved: { tv: { secret: strongSecret, ...part } } } }),
  ],
  ['loginHintToken', WRONG_HINT_TOKENS, (part) => ({ loginHintToken: { issuers: [issuer], ...part } })],
  [
    'loginHintToken.issuers[1]',
    WRONG_ISSUERS,
    (part) => ({ loginHintToken: { issuers: [issuer, { ...issuer, ...part }] } }),
  ],
];

describe('a wrong option', () => {
  it.each(Object.entries(WRONG).flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    '%s: %p is refused by its name',
    (name, value) => {
      const error = thrownBy(() => createCiba({ [name]: value }));
      expect(error.code).toBe('invalid_option');
      expect(error.message).toMatch(new RegExp(`^${name} must (be|not be) `));
    },
  );

  it.each(
    GROUPS.flatMap(([path, wrong, given]) =>
      Object.entries(wrong).flatMap(([name, values]) =>
        values.map((value) => [`${path}.${name}`, value, given({ [name]: value })] as const),
      ),
    ),
  )('%s: %p is refused by its path', (path, _value, options) => {
    const error = thrownBy(() => createCiba(options));
    expect(error.code).toBe('invalid_option');
    expect(error.message.startsWith(`${path} must `)).toBe(true);
  });

  it.each([
    [{ aprove: 'Yes' }, 'page.texts.en.aprove is not a text of the page'],
    [{ approve: 5 }, 'page.texts.en.approve must be a text'],
    [{ scopes: 'all' }, 'page.texts.en.scopes must be an object of texts'],
    [{ claims: { name: 1 } }, 'page.texts.en.claims must be an object of texts'],
  ])('among the texts of the page is named: %j', (en, sentence) => {
    const error = thrownBy(() => createCiba({ page: { texts: { en: en as never } } }));
    expect({ code: error.code, message: error.message }).toEqual({
      code: 'invalid_option',
      message: sentence,
    });
  });

  it.each(GROUPS.map(([path, , given]) => [path, given({ retries: 3 })] as const))(
    'that is none of the group %s is refused by its path',
    (path, options) => {
      expect(thrownBy(() => createCiba(options)).message).toBe(
        `${path}.retries is not an option of createCiba`,
      );
    },
  );

  it.each([
    ['neither', { jwksUri: undefined }],
    ['both', { jwks: { keys: [] } }],
  ])('an issuer with %s of the two places for its keys is refused', (_which, part) => {
    const issuers = [{ ...issuer, ...part }] as LoginHintTokenIssuer[];
    expect(thrownBy(() => createCiba({ loginHintToken: { issuers } })).message).toBe(
      'loginHintToken.issuers[0] must have either jwks or jwksUri',
    );
  });

  it('that is none of them is refused by its name', () => {
    const error = thrownBy(() => createCiba({ intervall: 5 } as CibaOptions));
    expect({ code: error.code, message: error.message }).toEqual({
      code: 'invalid_option',
      message: 'intervall is not an option of createCiba',
    });
  });

  it.each(['constructor', 'toString', '__proto__'])(
    'that is a name of every object’s is refused: %s',
    (name) => {
      const options = Object.defineProperty({}, name, { value: () => {}, enumerable: true });
      expect(thrownBy(() => createCiba(options)).message).toBe(`${name} is not an option of createCiba`);
    },
  );

  it.each([null, 7, 'options'])('instead of all of them is refused: %p', (options) => {
    expect(thrownBy(() => createCiba(options as never)).message).toBe('options must be an object');
  });

  it('in the company of another is told: a usual life above the longest one', () => {
    const error = thrownBy(() => createCiba({ defaultExpiry: 700 }));
    expect({ code: error.code, message: error.message }).toEqual({
      code: 'invalid_option',
      message: 'defaultExpiry must not be greater than maxExpiry (600)',
    });
    expect(thrownBy(() => createCiba({ maxExpiry: 200 })).message).toContain('maxExpiry (200)');
  });
});

test('nobody is prompted from memory by another process', () => {
  const channels = [{ name: 'inbox', send: async () => {} }];
  const start = () => pluginServer({ ciba: { channels, delivery: { worker: false } } });
  expect(start).toThrow('delivery.worker must be true where requests live in memory');
});

describe('the options that are left out', () => {
  it('have their defaults', () => {
    const { timeOffset, ...settings } = settingsOf({});
    expect(settings).toEqual({
      prefix: 'ciba',
      interval: 5,
      defaultExpiry: 300,
      maxExpiry: 600,
      retention: 600,
      replayGrace: 0,
      rememberCredentials: 60,
      limits: {
        pendingPerAccount: 10,
        pendingPerAccountAndClient: 5,
        pendingPerClient: 10_000,
        refusals: 3,
        cooldown: 600,
      },
      loginHintToken: undefined,
      idTokenHintMaxAge: 2_592_000,
      requireAcr: false,
      hideUnknownUsers: false,
      decisionPath: '/ciba/requests',
      channels: [],
      page: { path: '/ciba/decide', baseUrl: undefined, passkeys: undefined, texts: {} },
      delivery: {
        worker: true,
        attempts: 20,
        notifyExpiry: false,
        allowedAddresses: [],
        allowedPorts: [443],
        allowLoopback: false,
        ca: undefined,
      },
    });
    expect(timeOffset()).toBe(0);
  });

  it('may be said to be undefined', () => {
    expect(settingsOf({ interval: undefined, redis: undefined })).toEqual(settingsOf({}));
  });

  it('do not come from somewhere else when some are given', () => {
    expect(settingsOf({ interval: 60, limits: { refusals: false } })).toMatchObject({
      interval: 60,
      limits: { pendingPerAccount: 10, refusals: false, cooldown: 600 },
      retention: 600,
    });
  });

  it('are none of the limits where there are to be none', () => {
    expect(settingsOf({ limits: false }).limits).toEqual({
      pendingPerAccount: false,
      pendingPerAccountAndClient: false,
      pendingPerClient: false,
      refusals: false,
      cooldown: 600,
    });
  });

  it('of login hint tokens are there where they are taken at all', () => {
    expect(settingsOf({ loginHintToken: { issuers: [issuer] } }).loginHintToken).toEqual({
      issuers: [issuer],
      audience: undefined,
      typ: undefined,
      resolve: undefined,
      maxAge: 300,
    });
  });
});

describe('the values at the ends of a range', () => {
  it.each([
    { interval: 1 },
    { interval: 60 },
    { defaultExpiry: 10 },
    { maxExpiry: 86_400 },
    { maxExpiry: 10, defaultExpiry: 10 },
    { retention: 60 },
    { retention: 86_400 },
    { limits: { pendingPerAccount: 1, pendingPerAccountAndClient: 1, pendingPerClient: 1 } },
    { limits: { pendingPerAccount: 1_000, pendingPerAccountAndClient: 1_000, pendingPerClient: 1_000_000 } },
    { limits: { pendingPerAccount: false as const, cooldown: 10 } },
    { limits: { refusals: 1, cooldown: 86_400 } },
    { limits: { refusals: 100 } },
    { idTokenHintMaxAge: 60 },
    { idTokenHintMaxAge: 31_536_000 },
    { loginHintToken: { issuers: [issuer], maxAge: 10 } },
    { loginHintToken: { issuers: [issuer], maxAge: 86_400 } },
    { page: { baseUrl: 'http://op.example/oidc', texts: { 'de-CH': { approve: 'Ja' } } } },
    { prefix: 'a' },
    { prefix: 'x'.repeat(64) },
    { decisionPath: '/a' },
    { delivery: { attempts: 1 } },
    { delivery: { attempts: 100 } },
    { delivery: { allowedPorts: [1, 65_535] } },
    { delivery: { allowedPorts: 'any' as const } },
    { delivery: { allowedAddresses: ['10.0.0.0/0', '10.1.2.3', 'fd00::/8', '::1'] } },
  ])('are taken: %j', (options) => {
    expect(settingsOf(options)).toMatchObject(options);
  });
});

function thrownBy(call: () => unknown): CibaError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(CibaError);
    return error as CibaError;
  }
  throw new Error('nothing was thrown');
}
