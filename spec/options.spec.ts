import { CibaError, type CibaOptions, createCiba, type DeliveryOptions } from 'oidc-provider-ciba';
import { settingsOf } from '../lib/options.js';

/** What each option refuses; the compiler keeps the table complete. */
const WRONG: Readonly<Record<keyof CibaOptions, readonly unknown[]>> = {
  redis: [null, 'redis://localhost', {}, { defineCommand: () => {} }],
  prefix: ['', 'a b', 'a{b}', 'x'.repeat(65), 7, null],
  interval: [0, 61, 1.5, '5', Number.NaN, Number.POSITIVE_INFINITY, null],
  defaultExpiry: [9, 86_401, 10.5, '300', null],
  maxExpiry: [9, 86_401, 10.5, '600', null],
  retention: [59, 86_401, 60.5, '600', null],
  pendingPerAccount: [0, 1_001, true, '10', 1.5, null],
  resolveLoginHint: ['alice', {}, null],
  resolvePairwiseSubject: ['alice', {}, null],
  verifyUserCode: ['1234', true, null],
  requireAcr: ['true', 1, null],
  authenticateDecision: ['alice', {}, null],
  decisionPath: ['', '/', 'ciba', '/ciba/', '/ciba//requests', '/ciba requests', '/:id', 7, null],
  delivery: [true, [], 'ping', null],
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
    Object.entries(WRONG_DELIVERY).flatMap(([name, values]) => values.map((value) => [name, value] as const)),
  )('delivery.%s: %p is refused by its path', (name, value) => {
    const error = thrownBy(() => createCiba({ delivery: { [name]: value } }));
    expect(error.code).toBe('invalid_option');
    expect(error.message).toMatch(new RegExp(`^delivery\\.${name} must be `));
  });

  it('that is none of a group is refused by its path', () => {
    const error = thrownBy(() => createCiba({ delivery: { retries: 3 } as DeliveryOptions }));
    expect(error.message).toBe('delivery.retries is not an option of createCiba');
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

describe('the options that are left out', () => {
  it('have their defaults', () => {
    const { timeOffset, ...settings } = settingsOf({});
    expect(settings).toEqual({
      prefix: 'ciba',
      interval: 5,
      defaultExpiry: 300,
      maxExpiry: 600,
      retention: 600,
      pendingPerAccount: 10,
      requireAcr: false,
      decisionPath: '/ciba/requests',
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
    expect(settingsOf({ interval: 60, pendingPerAccount: false })).toMatchObject({
      interval: 60,
      pendingPerAccount: false,
      retention: 600,
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
    { pendingPerAccount: 1 },
    { pendingPerAccount: 1_000 },
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
