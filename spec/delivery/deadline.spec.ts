import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { within } from '../../lib/deadline.js';
import { Bulkhead } from '../../lib/delivery/bulkhead.js';
import { Deliverer } from '../../lib/delivery/deliverer.js';
import { Outgoing } from '../../lib/delivery/outgoing.js';
import type { TokenResponse } from '../../lib/delivery/recipients.js';
import { Emitter } from '../../lib/emitter.js';
import { settingsOf } from '../../lib/settings/settings.js';
import { MemoryStore } from '../../lib/store/memory.js';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

test('what comes in time is passed on, what fails as well, and no timer is left', async () => {
  expect(await within(1_000, 'it', Promise.resolve(7))).toBe(7);
  await expect(within(1_000, 'it', Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(jest.getTimerCount()).toBe(0);
});

test('what does not come is given up, in words', async () => {
  const late = expect(within(1_000, 'it', new Promise(() => {}))).rejects.toThrow(
    'it took longer than 1000 ms',
  );
  await jest.advanceTimersByTimeAsync(1_000);
  await late;
});

test('a hook of the server that never settles holds no turn, and tokens that come late are destroyed [PUSH-7]', async () => {
  const store = new MemoryStore(() => 0);
  const { delivery: settings, retention } = settingsOf({ delivery: { allowLoopback: true } });
  const endpoint = 'https://127.0.0.1:1/';
  const destroyed: TokenResponse[] = [];
  let issued: (tokens: { tokens: TokenResponse }) => void = () => {};
  const deliverer = new Deliverer({
    outbox: store.outbox,
    outgoing: new Outgoing(settings),
    bulkhead: new Bulkhead(),
    recipients: {
      find: async () => ({ mode: 'push', endpoint }),
      issue: () =>
        new Promise((resolve) => {
          issued = resolve;
        }),
      destroy: async (tokens) => void destroyed.push(tokens),
    },
    events: new Emitter(),
    settings,
    retention: retention * 1000,
  });
  const request = {
    handle: 'h',
    clientId: 'till',
    accountId: 'alice',
    lifetime: 300_000,
    retention: 600_000,
  };
  await store.create({
    ...request,
    interval: 5_000,
    payload: '{"model":{},"deliveryMode":"push"}',
    limits: { cooldown: 0 },
    callback: JSON.stringify({ authReqId: 'id', token: 'token', endpoint }),
  });
  const decision = { verdict: 'approved', decision: '{}', operation: 'o' } as const;
  await store.decide({ handle: 'h', owner: request, accountId: 'alice', ...decision });
  const turn = deliverer.deliver('h', 1);
  await jest.advanceTimersByTimeAsync(10_000);
  expect(await turn).toMatch(/^again in [12] s: tokens_not_issued$/);
  issued({ tokens: { access_token: 'late' } });
  await jest.advanceTimersByTimeAsync(0);
  expect(destroyed).toEqual([{ access_token: 'late' }]);
  await store.close();
});
