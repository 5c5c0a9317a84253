import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { MemoryStore } from '../../lib/store/memory.js';
import { ask, COOLDOWN, claim, decide, newRequest, RETENTION } from './contract/given.js';

/** A memory is swept every so often, in milliseconds. */
const SWEEP = 30_000;

let store: MemoryStore;

beforeEach(() => {
  jest.useFakeTimers();
  store = new MemoryStore(() => 0);
});
afterEach(async () => {
  await store.close();
  jest.useRealTimers();
});

const limits = { refusals: 1, cooldown: COOLDOWN };

test('[SEC-1] what was not answered counts as a refusal, however often the memory is swept meanwhile', async () => {
  const { accountId, lifetime } = await ask(store, { limits });
  jest.advanceTimersByTime(lifetime);
  for (let time = SWEEP; time < COOLDOWN; time += SWEEP) {
    jest.advanceTimersByTime(SWEEP);
    expect(await store.create(newRequest({ accountId, limits }))).toBe('refusals');
  }
  jest.advanceTimersByTime(SWEEP);
  expect(await store.create(newRequest({ accountId, limits }))).toBe('created');
});

test('[SEC-1] a denial and a block are kept for as long as they count', async () => {
  const request = await ask(store, { limits });
  const { accountId } = request;
  await decide(store, request, 'denied', undefined, COOLDOWN);
  jest.advanceTimersByTime(COOLDOWN - 1);
  expect(await store.create(newRequest({ accountId, limits }))).toBe('refusals');
  jest.advanceTimersByTime(1);
  expect(await store.create(newRequest({ accountId, limits }))).toBe('created');

  const blocked = newRequest();
  await store.block(blocked.accountId, blocked.clientId, 3 * SWEEP);
  jest.advanceTimersByTime(3 * SWEEP - 1);
  expect(await store.create(blocked)).toBe('blocked');
});

test('a request is there until its retention is over, and an answer for as long as it is kept', async () => {
  const request = await ask(store, { lifetime: 4 * SWEEP, retention: RETENTION });
  const { handle } = request;
  await decide(store, request, 'approved');
  await claim(store, handle, 'mine');
  await store.settle(handle, 'mine');
  await store.keepAnswer(handle, 'mine', { sealed: 'sealed', lifetime: 2 * SWEEP });
  jest.advanceTimersByTime(2 * SWEEP - 1);
  expect(await store.answerOf(handle)).toBe('sealed');
  jest.advanceTimersByTime(1);
  expect(await store.answerOf(handle)).toBeUndefined();
  jest.advanceTimersByTime(2 * SWEEP + RETENTION - 1);
  expect(await store.read(handle)).toMatchObject({ status: 'redeemed' });
  jest.advanceTimersByTime(1);
  expect(await store.read(handle)).toBeUndefined();
});
