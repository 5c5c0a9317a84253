import { DOUBT } from '../../../lib/store/lifecycle.js';
import {
  allStatuses,
  ask,
  CALLBACK,
  claim,
  claimingPoll,
  decide,
  type Given,
  LEASE,
  needs,
  poll,
  type RoadEnd,
  roads,
} from './given.js';

/** Redeeming: claim, then settle or release. */
export function redeeming(given: () => Given): void {
  const approved = async () => {
    const request = await ask(given().store);
    await decide(given().store, request, 'approved');
    return request.handle;
  };
  const statusOf = async (handle: string) => (await given().store.read(handle))?.status;
  /** So many are told to wait for another's claim. */
  const expectToWait = (answers: readonly object[], count: number): void => {
    const losers = answers.filter((answer) => 'result' in answer && answer.result === 'claimed');
    expect(losers).toHaveLength(count);
    for (const { wait } of losers as { wait: number }[]) {
      expect(wait).toBeGreaterThan(LEASE - given().tick);
      expect(wait).toBeLessThanOrEqual(LEASE);
    }
  };

  test('TOK-7: of many claims at once exactly one wins and the others are told to wait', async () => {
    const { store, other } = given();
    const handle = await approved();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => claim(index % 2 ? store : other, handle)),
    );
    expect(answers.filter(({ result }) => result === 'won')).toHaveLength(1);
    expectToWait(answers, 49);
  });

  test('a repeat of a claim with its own token has won again, and the lease is no longer for it', async () => {
    const { store, other, clock } = given();
    const handle = await approved();
    expect(await claim(store, handle, 'mine')).toEqual({ result: 'won' });
    clock.advance(LEASE - 2_000);
    expect(await claim(other, handle, 'mine')).toEqual({ result: 'won' });
    clock.advance(2_000);
    expect(await claim(store, handle, 'theirs')).toEqual({ result: 'won' });
  });

  test('TOK-7: of many polls that claim at once exactly one wins, and hears the approval; the others are told to wait', async () => {
    const { store, other } = given();
    const handle = await approved();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => claimingPoll(index % 2 ? store : other, handle)),
    );
    expect(answers.filter(({ result }) => result === 'approved')).toMatchObject([
      { claimed: true, decision: '{"approved":1}' },
    ]);
    expectToWait(answers, 49);
  });

  test('a poll and a claim exclude each other', async () => {
    const { store, other } = given();
    const [polled, claimed] = [await approved(), await approved()];
    expect(await claimingPoll(store, polled, 'mine')).toMatchObject({ claimed: true });
    expect(await claim(other, polled, 'theirs')).toMatchObject({ result: 'claimed' });
    expect(await claim(other, claimed, 'theirs')).toEqual({ result: 'won' });
    expect(await claimingPoll(store, claimed, 'mine')).toMatchObject({ result: 'claimed' });
    expect(await store.settle(polled, 'theirs')).toBe(false);
    expect(await store.settle(polled, 'mine')).toBe(true);
    expect(await claimingPoll(store, polled, 'again')).toMatchObject({ result: 'claimed' });
    await other.confirm(polled);
    expect(await claimingPoll(store, polled, 'again')).toEqual({ result: 'redeemed' });
  });

  test('a poll does not claim what its client is told of: it may be pushed', async () => {
    const { store, other } = given();
    const request = await ask(store, { callback: CALLBACK });
    await decide(store, request, 'approved');
    const { handle } = request;
    expect(await claimingPoll(store, handle)).toMatchObject({ result: 'approved', claimed: false });
    expect(await statusOf(handle)).toBe('approved');
    await claim(store, handle, 'mine');
    expect(await claimingPoll(other, handle)).toMatchObject({ result: 'claimed' });
  });

  test('what a poll has claimed can be given back, and its lease ends', async () => {
    const { store, other, clock } = given();
    const handle = await approved();
    await claimingPoll(store, handle, 'first');
    await store.release(handle, 'first');
    expect(await claimingPoll(other, handle, 'second')).toMatchObject({ claimed: true });
    clock.advance(LEASE);
    expect(await claimingPoll(store, handle, 'third')).toMatchObject({ claimed: true });
    expect(await other.settle(handle, 'second')).toBe(false);
    expect(await store.settle(handle, 'third')).toBe(true);
  });

  test('a repeat of a poll with the token of its claim hears the approval again, and the lease is no longer for it', async () => {
    const { store, other, clock } = given();
    const handle = await approved();
    const told = await claimingPoll(store, handle, 'mine');
    expect(told).toMatchObject({ result: 'approved', claimed: true });
    clock.advance(LEASE - 2_000);
    const { remaining: _, ...same } = told as { remaining: number };
    expect(await claimingPoll(other, handle, 'mine')).toMatchObject(same);
    clock.advance(2_000);
    expect(await claimingPoll(store, handle, 'theirs')).toMatchObject({ claimed: true });
  });

  test.each(allStatuses.filter((status) => status !== 'approved'))(
    'a poll that would claim changes nothing of a request that is %s, and is told what any poll is told',
    async (status: RoadEnd) => {
      const { store } = given();
      const request = await ask(store, needs(status));
      await roads[status](given(), request);
      const { result } = await poll(store, request.handle);
      expect((await claimingPoll(store, request.handle)).result).toBe(
        result === 'pending' ? 'slow_down' : result,
      );
      expect(await statusOf(request.handle)).toBe(status);
    },
  );

  test('the answer that leaves is kept for as long as it was to be, and goes with a redemption that is taken back', async () => {
    const { store, other, clock } = given();
    const kept = { sealed: 'sealed', lifetime: 10_000 };
    const handle = await approved();
    await claim(store, handle, 'mine');
    await other.keepAnswer(handle, 'mine', kept);
    expect(await store.answerOf(handle)).toBeUndefined();
    expect(await store.settle(handle, 'mine')).toBe(true);
    await other.keepAnswer(handle, 'theirs', kept);
    expect(await store.answerOf(handle)).toBeUndefined();
    await store.keepAnswer(handle, 'mine', kept);
    expect(await other.answerOf(handle)).toBe('sealed');
    await other.release(handle, 'mine');
    expect(await store.answerOf(handle)).toBeUndefined();
    await claim(store, handle, 'again');
    await store.settle(handle, 'again');
    await store.keepAnswer(handle, 'again', kept);
    clock.advance(5_000);
    expect(await other.answerOf(handle)).toBe('sealed');
    clock.advance(5_000);
    expect(await other.answerOf(handle)).toBeUndefined();
    const unkept = await approved();
    await claim(store, unkept, 'mine');
    await store.settle(unkept, 'mine');
    expect(await store.answerOf(unkept)).toBeUndefined();
  });

  const refusals = allStatuses.filter((status) => status !== 'approved' && status !== 'claimed');
  test.each(refusals)(
    'a request that is %s cannot be claimed, and the claim is told why',
    async (status: RoadEnd) => {
      const { store } = given();
      const request = await ask(store, needs(status));
      await roads[status](given(), request);
      expect(await claim(store, request.handle)).toEqual({ result: status });
      expect(await statusOf(request.handle)).toBe(status);
    },
  );

  test.each(allStatuses)('TOK-4: no other client can claim a request that is %s', async (status: RoadEnd) => {
    const { store } = given();
    const request = await ask(store, needs(status));
    const { handle } = request;
    await roads[status](given(), request);
    const thief = { handle, clientId: 'thief' };
    const theft = { token: 't', lease: LEASE };
    expect(await store.claim({ ...thief, ...theft })).toEqual({ result: 'foreign' });
    expect(await store.poll({ ...thief, operation: 'o', claim: theft })).toEqual({ result: 'foreign' });
    expect(await statusOf(handle)).toBe(status);
  });

  test('a claim holds to the last moment of its lease; then another may win', async () => {
    const { store, other, clock, tick } = given();
    const handle = await approved();
    await claim(store, handle, 'mine');
    clock.advance(LEASE - tick);
    expect(await claim(other, handle, 'theirs')).toMatchObject({ result: 'claimed' });
    clock.advance(tick);
    expect(await claim(other, handle, 'theirs')).toEqual({ result: 'won' });
    expect(await store.settle(handle, 'mine')).toBe(false);
    expect(await other.settle(handle, 'theirs')).toBe(true);
  });

  test('a claim can be settled past the end of the request’s life while its lease holds', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    const { handle } = request;
    await decide(store, request, 'approved');
    clock.advance(request.lifetime - 2_000);
    await claim(store, handle, 'mine');
    clock.advance(3_000);
    expect(await statusOf(handle)).toBe('claimed');
    expect(await store.settle(handle, 'mine')).toBe(true);
    expect(await statusOf(handle)).toBe('redeemed');
  });

  test('a claim whose lease ends after the request’s life leaves it expired', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    const { handle } = request;
    await decide(store, request, 'approved');
    clock.advance(request.lifetime - 2_000);
    await claim(store, handle, 'mine');
    clock.advance(LEASE);
    expect(await claim(store, handle, 'theirs')).toEqual({ result: 'expired' });
    expect(await store.settle(handle, 'mine')).toBe(false);
    expect(await poll(store, handle)).toEqual({ result: 'expired' });
  });

  test('a claim at exactly the end of the request’s life comes too late', async () => {
    const { store, clock, tick } = given();
    const [inTime, late] = [await ask(store), await ask(store)];
    await decide(store, inTime, 'approved');
    await decide(store, late, 'approved');
    clock.moveTo(((await store.read(inTime.handle))?.expiresAt ?? 0) - tick);
    expect(await claim(store, inTime.handle)).toEqual({ result: 'won' });
    clock.moveTo((await store.read(late.handle))?.expiresAt ?? 0);
    expect(await claim(store, late.handle)).toEqual({ result: 'expired' });
  });

  test('TOK-6: a redemption is settled by its own token, and a repeat is told the same', async () => {
    const { store, other } = given();
    const handle = await approved();
    await claim(store, handle, 'mine');
    expect(await store.settle(handle, 'theirs')).toBe(false);
    expect(await statusOf(handle)).toBe('claimed');
    expect(await store.settle(handle, 'mine')).toBe(true);
    expect(await other.settle(handle, 'mine')).toBe(true);
    expect(await store.settle(handle, 'theirs')).toBe(false);
    expect(await statusOf(handle)).toBe('redeemed');
  });

  const settled = async () => {
    const handle = await approved();
    await claim(given().store, handle, 'mine');
    await given().store.settle(handle, 'mine');
    return handle;
  };

  test('TOK-14: a redemption in doubt is not told to be redeemed, for it may be given back', async () => {
    const { store, other } = given();
    const handle = await settled();
    expect(await poll(other, handle)).toEqual({ result: 'claimed', wait: 1_000 });
    expect(await claim(other, handle)).toEqual({ result: 'claimed', wait: 1_000 });
    await store.release(handle, 'mine');
    expect(await poll(other, handle)).toMatchObject({ result: 'approved' });
    expect(await claim(other, handle, 'theirs')).toEqual({ result: 'won' });
    await other.settle(handle, 'theirs');
    await other.confirm(handle);
    expect(await poll(store, handle)).toEqual({ result: 'redeemed' });
    expect(await claim(store, handle)).toEqual({ result: 'redeemed' });
  });

  test('the doubt about a redemption ends with its confirmation, a kept answer, or its time', async () => {
    const { store, other, clock, tick } = given();
    const [confirmed, kept, left] = [await settled(), await settled(), await settled()];
    await other.confirm(confirmed);
    await other.confirm(confirmed);
    await other.keepAnswer(kept, 'mine', { sealed: 'sealed', lifetime: 10_000 });
    expect(await poll(store, confirmed)).toEqual({ result: 'redeemed' });
    expect(await poll(store, kept)).toEqual({ result: 'redeemed' });
    clock.advance(DOUBT - tick);
    expect(await poll(store, left)).toMatchObject({ result: 'claimed' });
    clock.advance(tick);
    expect(await poll(store, left)).toEqual({ result: 'redeemed' });
    expect(await claim(store, left)).toEqual({ result: 'redeemed' });
  });

  test('a redemption can be settled to the last moment of its lease and not from then on', async () => {
    const { store, clock, tick } = given();
    const [inTime, late] = [await approved(), await approved()];
    await claim(store, inTime, 'mine');
    clock.advance(LEASE - tick);
    expect(await store.settle(inTime, 'mine')).toBe(true);
    clock.reset();
    await claim(store, late, 'mine');
    clock.advance(LEASE);
    expect(await store.settle(late, 'mine')).toBe(false);
    expect(await statusOf(late)).toBe('approved');
  });

  test('TOK-14: a settle takes no effect where less of the lease is left than it insists on', async () => {
    const { store, other, clock, tick } = given();
    const handle = await approved();
    await claim(store, handle, 'mine');
    clock.advance(LEASE - 2_000);
    expect(await store.settle(handle, 'mine', 2_000 + tick)).toBe(false);
    expect(await statusOf(handle)).toBe('claimed');
    expect(await other.settle(handle, 'mine', 2_000 - tick)).toBe(true);
    expect(await statusOf(handle)).toBe('redeemed');
  });

  test.each(allStatuses)(
    'a request that is %s cannot be settled without its claim',
    async (status: RoadEnd) => {
      const { store } = given();
      const request = await ask(store, needs(status));
      await roads[status](given(), request);
      expect(await store.settle(request.handle, 'nobody')).toBe(false);
      expect(await store.settle(request.handle, '')).toBe(false);
      expect(await statusOf(request.handle)).toBe(status);
    },
  );

  test('a claim that is given back lets the next one win, and cannot be settled any more', async () => {
    const { store, other } = given();
    const handle = await approved();
    await claim(store, handle, 'mine');
    await store.release(handle, 'mine');
    expect(await statusOf(handle)).toBe('approved');
    expect(await store.settle(handle, 'mine')).toBe(false);
    expect(await claim(other, handle, 'theirs')).toEqual({ result: 'won' });
  });

  test('a repeat of giving back does not touch the claim that followed', async () => {
    const { store, other } = given();
    const handle = await approved();
    await claim(store, handle, 'mine');
    await store.release(handle, 'mine');
    await claim(other, handle, 'theirs');
    await store.release(handle, 'mine');
    expect(await statusOf(handle)).toBe('claimed');
    expect(await other.settle(handle, 'theirs')).toBe(true);
  });

  test.each(allStatuses)(
    'a request that is %s stays so when a stranger gives it back',
    async (status: RoadEnd) => {
      const { store } = given();
      const request = await ask(store, needs(status));
      await roads[status](given(), request);
      await store.release(request.handle, 'stranger');
      expect(await statusOf(request.handle)).toBe(status);
    },
  );

  test('a settled redemption can be given back by its own token only, and then the next claim wins', async () => {
    const { store, other } = given();
    const handle = await approved();
    await claim(store, handle, 'mine');
    await store.settle(handle, 'mine');
    await other.release(handle, 'theirs');
    expect(await statusOf(handle)).toBe('redeemed');
    await store.release(handle, 'mine');
    expect(await store.settle(handle, 'mine')).toBe(false);
    expect(await claim(other, handle, 'theirs')).toEqual({ result: 'won' });
    await store.release(handle, 'mine');
    expect(await other.settle(handle, 'theirs')).toBe(true);
  });

  test('a settled redemption that is given back after the request’s life leaves it expired', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    const { handle } = request;
    await decide(store, request, 'approved');
    await claim(store, handle, 'mine');
    await store.settle(handle, 'mine');
    clock.advance(request.lifetime);
    await store.release(handle, 'mine');
    expect(await poll(store, handle)).toEqual({ result: 'expired' });
  });

  test('claim, settle and release of a handle that was never stored find nothing and leave nothing', async () => {
    const { store } = given();
    expect(await claim(store, 'nobody')).toEqual({ result: 'gone' });
    expect(await store.settle('nobody', 't')).toBe(false);
    await store.release('nobody', 't');
    await store.confirm('nobody');
    expect(await store.read('nobody')).toBeUndefined();
  });
}
