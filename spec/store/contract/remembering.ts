import {
  allStatuses,
  ask,
  CLIENT,
  claim,
  decide,
  type Given,
  needs,
  poll,
  type RoadEnd,
  roads,
} from './given.js';

/** What is remembered after the end, and for how long. */
export function remembering(given: () => Given): void {
  /** Where each status stands once the request's life is over. */
  const inTheEnd: Readonly<Record<RoadEnd, string>> = {
    pending: 'expired',
    approved: 'expired',
    claimed: 'expired',
    redeemed: 'redeemed',
    delivered: 'delivered',
    undeliverable: 'undeliverable',
    denied: 'denied',
    cancelled: 'cancelled',
    expired: 'expired',
  };

  test.each(allStatuses)(
    'TERR-3: a request that was %s is remembered to the last moment of its retention, then it is gone',
    async (status) => {
      const { store, other, clock, tick } = given();
      const request = await ask(store, needs(status));
      const { handle, accountId, lifetime, retention } = request;
      const expiresAt = (await store.read(handle))?.expiresAt ?? 0;
      await roads[status](given(), request);

      clock.moveTo(expiresAt + lifetime);
      expect(await poll(store, handle)).toMatchObject({ result: inTheEnd[status] });
      clock.moveTo(expiresAt + retention - tick);
      expect(await poll(other, handle)).toMatchObject({ result: inTheEnd[status] });
      expect(await store.read(handle)).toMatchObject({ status: inTheEnd[status], remaining: 0 });

      clock.moveTo(expiresAt + retention);
      expect(await poll(store, handle)).toEqual({ result: 'gone' });
      expect(await store.read(handle)).toBeUndefined();
      expect(await store.list(accountId)).toEqual([]);
      expect(await claim(store, handle)).toEqual({ result: 'gone' });
      expect(await decide(store, request, 'approved')).toEqual({ result: 'gone' });
    },
  );

  test('a request that is gone is gone for strangers too', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    const { handle, lifetime, retention } = request;
    clock.advance(lifetime + retention);
    expect(await store.poll({ handle, clientId: 'thief', operation: 'o' })).toEqual({ result: 'gone' });
    const stolen = await store.decide({
      handle,
      owner: request,
      accountId: 'mallory',
      verdict: 'denied',
      decision: '',
      operation: 'o',
    });
    expect(stolen).toEqual({ result: 'gone' });
  });

  test('a redemption that is over is not settled again once the request is gone', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    const { handle, lifetime, retention } = request;
    await decide(store, request, 'approved');
    await store.claim({ handle, clientId: CLIENT, token: 'mine', lease: lifetime + retention + 60_000 });
    clock.advance(lifetime + retention);
    expect(await store.settle(handle, 'mine')).toBe(false);
    clock.reset();
    expect(await store.settle(handle, 'mine')).toBe(true);
    clock.advance(lifetime + retention);
    expect(await store.settle(handle, 'mine')).toBe(false);
  });
}
