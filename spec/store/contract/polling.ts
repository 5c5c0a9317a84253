import { POLL_LEEWAY, SLOW_DOWN_STEP } from '../../../lib/store/lifecycle.js';
import {
  allStatuses,
  ask,
  CLIENT,
  decide,
  type Given,
  INTERVAL,
  LEASE,
  LIFETIME,
  needs,
  poll,
  type RoadEnd,
  roads,
} from './given.js';

/** Polls: where a request stands, and how fast a client may ask. */
export function polling(given: () => Given): void {
  /** A wait that has run for less than a tick. */
  const about = (wait: number): object => ({
    asymmetricMatch: (actual: unknown) =>
      typeof actual === 'number' && actual <= wait && actual > wait - given().tick,
    toString: () => `at most ${wait}`,
  });
  const pending = (wait: number): object => ({
    result: 'pending',
    wait: about(wait),
    remaining: expect.any(Number),
  });
  const slowDown = (wait: number): object => ({
    result: 'slow_down',
    wait: about(wait),
    remaining: expect.any(Number),
  });

  test('POLL-2: the first poll is free, however early it comes', async () => {
    const { store } = given();
    const { handle } = await ask(store);
    expect(await poll(store, handle)).toEqual(pending(INTERVAL));
  });

  test('POLL-1: a client that keeps the interval is never told to slow down', async () => {
    const { store, other, clock } = given();
    const { handle } = await ask(store);
    for (let polls = 0; polls < 20; polls += 1) {
      expect(await poll(polls % 2 ? store : other, handle)).toEqual(pending(INTERVAL));
      clock.advance(INTERVAL);
    }
  });

  test('POLL-3: each poll that comes too early adds 5 seconds, for it and for all later polls', async () => {
    const { store, other, clock, tick } = given();
    const { handle } = await ask(store);
    expect(await poll(store, handle)).toEqual(pending(5_000));
    clock.advance(1_000);
    expect(await poll(other, handle)).toEqual(slowDown(10_000));
    clock.advance(6_000);
    expect(await poll(store, handle)).toEqual(slowDown(15_000));
    clock.advance(15_000);
    expect(await poll(other, handle)).toEqual(pending(15_000));
    clock.advance(15_000 - POLL_LEEWAY - tick);
    expect(await poll(store, handle)).toEqual(slowDown(20_000));
    expect(SLOW_DOWN_STEP).toBe(5_000);
  });

  test('a poll may come early by the leeway and by no more', async () => {
    const { store, clock, tick } = given();
    const { handle } = await ask(store);
    await poll(store, handle);
    clock.advance(INTERVAL - POLL_LEEWAY);
    expect(await poll(store, handle)).toEqual(pending(INTERVAL));
    clock.advance(INTERVAL - POLL_LEEWAY - tick);
    expect(await poll(store, handle)).toEqual(slowDown(INTERVAL + SLOW_DOWN_STEP));
  });

  test('the interval is the one that the request was stored with', async () => {
    const { store, clock, tick } = given();
    const { handle } = await ask(store, { interval: 30_000 });
    await poll(store, handle);
    clock.advance(30_000);
    expect(await poll(store, handle)).toEqual(pending(30_000));
    clock.advance(30_000 - POLL_LEEWAY - tick);
    expect(await poll(store, handle)).toEqual(slowDown(35_000));
  });

  test.each([false, true])(
    'a repeat of a poll is told the same and not counted (too early: %s)',
    async (early) => {
      const { store, other, clock } = given();
      const { handle } = await ask(store);
      if (early) await poll(store, handle, 'before');
      const expected = early ? slowDown(10_000) : pending(5_000);
      expect(await poll(store, handle, 'this')).toEqual(expected);
      expect(await poll(other, handle, 'this')).toEqual(expected);
      clock.advance(early ? 10_000 : 5_000);
      expect(await poll(store, handle, 'next')).toMatchObject({ result: 'pending' });
    },
  );

  test('a repeat of a poll is told how long there is still to wait; one that comes when the next is due is the next', async () => {
    const { store, clock } = given();
    const { handle } = await ask(store);
    await poll(store, handle, 'this');
    clock.advance(2_000);
    expect(await poll(store, handle, 'this')).toEqual(pending(3_000));
    clock.advance(3_000);
    expect(await poll(store, handle, 'this')).toEqual(pending(5_000));
    expect(await poll(store, handle, 'another')).toEqual(slowDown(10_000));
  });

  test('of polls that overlap one is told pending, the others slow_down, and each of them counts', async () => {
    const { store, other, clock, tick } = given();
    const { handle } = await ask(store);
    const answers = await Promise.all([store, other, store, other].map((node) => poll(node, handle)));
    expect(answers.filter(({ result }) => result === 'pending')).toHaveLength(1);
    expect(answers.filter(({ result }) => result === 'slow_down')).toHaveLength(3);
    clock.advance(20_000 - POLL_LEEWAY - tick);
    expect(await poll(store, handle)).toEqual(slowDown(25_000));
    clock.advance(25_000);
    expect(await poll(store, handle)).toEqual(pending(25_000));
  });

  test('TOK-4: a client that the request is not for learns nothing and changes nothing', async () => {
    const { store, clock } = given();
    const { handle } = await ask(store);
    await poll(store, handle);
    clock.advance(INTERVAL);
    expect(await store.poll({ handle, clientId: 'thief', operation: 'o' })).toEqual({ result: 'foreign' });
    expect(await poll(store, handle)).toEqual(pending(INTERVAL));
  });

  test.each(allStatuses)(
    'TOK-4: a client that a request that is %s is not for is told the same',
    async (status) => {
      const { store } = given();
      const request = await ask(store, needs(status));
      await roads[status](given(), request);
      const { handle } = request;
      expect(await store.poll({ handle, clientId: 'thief', operation: 'o' })).toEqual({ result: 'foreign' });
    },
  );

  test('polls of one request do not slow down another', async () => {
    const { store } = given();
    const [one, two] = [await ask(store), await ask(store)];
    await poll(store, one.handle);
    expect(await poll(store, two.handle)).toEqual(pending(INTERVAL));
  });

  const answers: readonly [Exclude<RoadEnd, 'pending'>, object][] = [
    ['approved', { result: 'approved', decision: '{"approved":1}', payload: 'p' }],
    ['claimed', { result: 'claimed' }],
    ['redeemed', { result: 'redeemed' }],
    ['delivered', { result: 'delivered' }],
    ['undeliverable', { result: 'undeliverable' }],
    ['denied', { result: 'denied', decision: '{"denied":1}' }],
    ['cancelled', { result: 'cancelled' }],
    ['expired', { result: 'expired' }],
  ];
  test.each(answers)(
    'POLL-5: a request that is %s is told so at once, however fast the polls',
    async (status, answer) => {
      const { store } = given();
      const request = await ask(store, { ...needs(status), payload: 'p' });
      await poll(store, request.handle);
      await poll(store, request.handle);
      await roads[status](given(), request);
      for (let polls = 0; polls < 3; polls += 1) {
        expect(await poll(store, request.handle)).toMatchObject(answer);
      }
    },
  );

  test('an approved request is told with its account and the life it has left', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    await decide(store, request, 'approved');
    clock.advance(20_000);
    expect(await poll(store, request.handle)).toEqual({
      result: 'approved',
      accountId: request.accountId,
      remaining: about(LIFETIME - 20_000),
      payload: request.payload,
      decision: '{"approved":1}',
      claimed: false,
    });
  });

  test('a poll while another redeems is told how long that may take', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    await roads.claimed(given(), request);
    clock.advance(1_000);
    const answer = await poll(store, request.handle);
    expect(answer).toEqual({ result: 'claimed', wait: about(LEASE - 1_000) });
  });

  test('the answer that a poll had before the decision does not hide the decision', async () => {
    const { store } = given();
    const request = await ask(store);
    await poll(store, request.handle, 'this');
    await decide(store, request, 'denied');
    expect(await poll(store, request.handle, 'this')).toMatchObject({ result: 'denied' });
  });

  test('POLL-10: a poll is told pending to the last moment of a request’s life and expired from then on', async () => {
    const { store, clock, tick } = given();
    const { handle } = await ask(store);
    const expiresAt = (await store.read(handle))?.expiresAt ?? 0;
    clock.moveTo(expiresAt - tick);
    expect(await poll(store, handle)).toMatchObject({ result: 'pending' });
    clock.moveTo(expiresAt);
    expect(await poll(store, handle)).toEqual({ result: 'expired' });
  });

  test('a poll of a handle that was never stored is told that it is gone', async () => {
    const answer = await given().store.poll({ handle: 'nobody', clientId: CLIENT, operation: 'o' });
    expect(answer).toEqual({ result: 'gone' });
  });

  test('a poll that was too early and comes again when the next is due is that one, and its repeat is told so', async () => {
    const { store, other, clock } = given();
    const { handle } = await ask(store);
    await poll(store, handle);
    expect(await poll(store, handle, 'the same')).toMatchObject({ result: 'slow_down' });
    expect(await poll(other, handle, 'the same')).toMatchObject({ result: 'slow_down' });
    clock.advance(INTERVAL + SLOW_DOWN_STEP);
    expect(await poll(store, handle, 'the same')).toMatchObject({ result: 'pending' });
    expect(await poll(other, handle, 'the same')).toMatchObject({ result: 'pending' });
  });
}
