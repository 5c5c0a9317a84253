import { randomUUID } from 'node:crypto';
import type { Guess, Limits, NewRequest } from '../../../lib/store/store.js';
import { ask, CALLBACK, COOLDOWN, decide, type Given, LIFETIME, newRequest } from './given.js';

/** How many requests there may be, who is kept out, and what can be used once. */
export function limiting(given: () => Given): void {
  const limits = (some: Omit<Limits, 'cooldown'>): Limits => ({ ...some, cooldown: COOLDOWN });
  const deny = (request: NewRequest, operation?: string) =>
    decide(given().store, request, 'denied', operation, COOLDOWN);

  test('[SEC-14] a client has no more pending requests of an account than it may, and another client has its own', async () => {
    const { store, other } = given();
    const [accountId, own] = [randomUUID(), limits({ account: 5, accountAndClient: 2 })];
    const of = (clientId: string) => newRequest({ accountId, clientId, limits: own });
    expect(await store.create(of('one'))).toBe('created');
    expect(await other.create(of('one'))).toBe('created');
    expect(await store.create(of('one'))).toBe('account_and_client');
    expect(await other.create(of('two'))).toBe('created');
    expect(await store.create(of('two'))).toBe('created');
    expect(await store.create(of('three'))).toBe('created');
    expect(await store.create(of('three'))).toBe('account');
    expect(await store.list(accountId)).toHaveLength(5);
  });

  test('[SEC-14] a client has no more pending requests than it may, whoever is asked', async () => {
    const { store, other } = given();
    const [clientId, own] = [randomUUID(), limits({ client: 2, account: 1 })];
    const first = await ask(store, { clientId, limits: own });
    // What the account refuses takes no place of the client.
    expect(await other.create(newRequest({ clientId, accountId: first.accountId, limits: own }))).toBe(
      'account',
    );
    await ask(other, { clientId, limits: own });
    expect(await store.create(newRequest({ clientId, limits: own }))).toBe('client');
    await decide(store, first, 'denied');
    await ask(store, { clientId, limits: own });
    expect(await other.create(newRequest({ clientId, limits: own }))).toBe('client');
  });

  test('[SEC-1] of many requests at once exactly as many are stored as each limit lets, and no fewer', async () => {
    const { store, other } = given();
    const [accountId, own] = [randomUUID(), limits({ account: 10, accountAndClient: 4, client: 1_000 })];
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        (index % 2 ? store : other).create(
          newRequest({ accountId, clientId: `${accountId} ${index % 5}`, limits: own }),
        ),
      ),
    );
    expect(answers.filter((answer) => answer === 'created')).toHaveLength(10);
    const pending = await store.list(accountId);
    for (let client = 0; client < 5; client += 1) {
      const its = pending.filter(({ clientId }) => clientId === `${accountId} ${client}`);
      expect(its.length).toBeLessThanOrEqual(4);
    }
  });

  test('[SEC-1] so many denials keep the client away, until they are forgotten', async () => {
    const { store, other, clock } = given();
    const own = limits({ refusals: 2 });
    const first = await ask(store, { limits: own });
    const { accountId } = first;
    await deny(first);
    clock.advance(10_000);
    await deny(await ask(other, { accountId, limits: own }));
    expect(await store.create(newRequest({ accountId, limits: own }))).toBe('refusals');
    // Another client, and another person, are not held to it.
    await ask(store, { accountId, clientId: 'another', limits: own });
    await ask(store, { limits: own });
    clock.advance(COOLDOWN - 10_000);
    await ask(other, { accountId, limits: own });
    await deny(await ask(other, { accountId, limits: own }));
    expect(await store.create(newRequest({ accountId, limits: own }))).toBe('refusals');
  });

  test('an approval, a withdrawal and a denial that does not count keep nobody away', async () => {
    const { store } = given();
    const own = limits({ refusals: 1 });
    const accountId = randomUUID();
    for (const verdict of ['approved', 'cancelled', 'denied'] as const) {
      await decide(store, await ask(store, { accountId, limits: own }), verdict);
    }
    await ask(store, { accountId, limits: own });
  });

  test('a repeated denial counts once', async () => {
    const { store, other } = given();
    const own = limits({ refusals: 2 });
    const request = await ask(store, { limits: own });
    await deny(request, 'the same');
    await deny(request, 'the same');
    await ask(other, { accountId: request.accountId, limits: own });
  });

  test('[SEC-1] a request that nobody answered counts as a denial, from its end on', async () => {
    const { store, other, clock } = given();
    const own = limits({ refusals: 2 });
    const { accountId } = await ask(store, { limits: own });
    await ask(store, { accountId, limits: own });
    clock.advance(LIFETIME + 10_000);
    expect(await other.create(newRequest({ accountId, limits: own }))).toBe('refusals');
    clock.advance(COOLDOWN - 10_000);
    await ask(store, { accountId, limits: own });
  });

  test('one that was answered in time counts as it was answered', async () => {
    const { store, clock } = given();
    const own = limits({ refusals: 1 });
    const request = await ask(store, { limits: own });
    await decide(store, request, 'approved');
    clock.advance(LIFETIME + 1);
    await ask(store, { accountId: request.accountId, limits: own });
  });

  test('one that was removed counts as if it had never been', async () => {
    const { store, clock } = given();
    const own = limits({ refusals: 1, client: 1 });
    const request = await ask(store, { clientId: randomUUID(), limits: own });
    await store.remove(request.handle, request);
    clock.advance(LIFETIME + 1);
    await ask(store, { ...request, handle: randomUUID() });
  });

  test('[SEC-1] a block keeps the client away from the account, limits or none, until it is over or lifted', async () => {
    const { store, other, clock } = given();
    const request = newRequest();
    const { accountId, clientId } = request;
    await store.block(accountId, clientId, 100_000);
    expect(await other.create(request)).toBe('blocked');
    await ask(store, { accountId, clientId: 'another' });
    await ask(store, { clientId });
    clock.advance(99_000);
    expect(await store.create(request)).toBe('blocked');
    clock.advance(1_000);
    await ask(other, { accountId });
    await other.block(accountId, clientId, 100_000);
    await store.unblock(accountId, clientId);
    await store.unblock(accountId, clientId);
    await ask(store, { accountId });
  });

  test('a block outlasts what was denied before it', async () => {
    const { store, clock } = given();
    const own = limits({ refusals: 5 });
    const request = await ask(store, { limits: own });
    const { accountId, clientId } = request;
    await store.block(accountId, clientId, 100_000);
    await deny(request);
    clock.advance(COOLDOWN + 1);
    expect(await store.create(newRequest({ accountId, limits: own }))).toBe('blocked');
  });

  test('[SEC-1] a request that was under way when its client was blocked is refused, or in the list that was read after it', async () => {
    const { store, other } = given();
    for (let round = 0; round < 60; round += 1) {
      const request = newRequest({ prompted: true, callback: CALLBACK, tellExpiry: true });
      const { handle, accountId, clientId } = request;
      const asked = store.create(request);
      for (let steps = round % 4; steps > 0; steps -= 1) await other.read('nobody');
      await other.block(accountId, clientId, 100_000);
      const listed = await other.list(accountId);
      const answer = await asked;
      const pending = (await store.read(handle))?.status === 'pending';
      expect(pending && listed.every((one) => one.handle !== handle)).toBe(false);
      expect(pending).toBe(answer === 'created');
      if (answer !== 'created') expect(answer).toBe('blocked');
    }
  });

  test('[SEC-1] one that was not answered and is removed after its end counts no more', async () => {
    const { store, other, clock } = given();
    const own = limits({ refusals: 1 });
    const request = await ask(store, { limits: own });
    const { accountId } = request;
    clock.advance(LIFETIME + 1);
    expect(await other.create(newRequest({ accountId, limits: own }))).toBe('refusals');
    await store.remove(request.handle, request);
    await ask(other, { accountId, limits: own });
  });

  const guessOf = (differences: Partial<Guess> = {}): Guess => ({
    accountId: randomUUID(),
    clientId: 'client',
    operation: randomUUID(),
    most: { accountAndClient: 2, account: 3 },
    lifetime: 100_000,
    ...differences,
  });

  test('[UC-8] a client guesses so often for an account, all clients together so often, and no oftener for a while', async () => {
    const { store, other, clock } = given();
    const { accountId } = guessOf();
    const guess = (clientId: string) => other.guess(guessOf({ accountId, clientId }));
    expect(await guess('one')).toBe(true);
    expect(await guess('one')).toBe(true);
    expect(await guess('one')).toBe(false);
    expect(await guess('two')).toBe(true);
    expect(await guess('two')).toBe(false);
    expect(await store.guess(guessOf())).toBe(true);
    clock.advance(100_000);
    expect(await guess('one')).toBe(true);
  });

  test('[UC-8] of many guesses at once no more are looked at', async () => {
    const { store, other } = given();
    const { accountId } = guessOf();
    const guesses = Array.from({ length: 40 }, (_, index) =>
      (index % 2 ? store : other).guess(guessOf({ accountId, clientId: `client ${index % 4}` })),
    );
    expect((await Promise.all(guesses)).filter(Boolean)).toHaveLength(3);
  });

  test('a right guess is taken back with the client’s wrong ones, and those of other clients stay', async () => {
    const { store } = given();
    const [wrong, elsewhere, right] = [guessOf(), guessOf(), guessOf()].map((guess) => ({
      ...guess,
      accountId: 'alice',
    }));
    const most = { accountAndClient: 2, account: 4 };
    expect(await store.guess({ ...wrong, most } as Guess)).toBe(true);
    expect(await store.guess({ ...elsewhere, most, clientId: 'another' } as Guess)).toBe(true);
    expect(await store.guess({ ...right, most } as Guess)).toBe(true);
    await store.guessedRight(right as Guess);
    await store.guessedRight(right as Guess);
    // Two wrong ones count for the account still; the client begins anew.
    const again = () => store.guess(guessOf({ accountId: 'alice', most }));
    expect([await again(), await again(), await again()]).toEqual([true, true, false]);
  });

  test('one that nobody has looked at is taken back alone', async () => {
    const { store, other } = given();
    const most = { accountAndClient: 2, account: 2 };
    const wrong = guessOf({ most });
    const { accountId } = wrong;
    const unseen = guessOf({ accountId, most });
    expect([await store.guess(wrong), await store.guess(unseen)]).toEqual([true, true]);
    await other.takeBackGuess(unseen);
    await other.takeBackGuess(unseen);
    const again = () => store.guess(guessOf({ accountId, most }));
    expect([await again(), await again()]).toEqual([true, false]);
  });

  test('a repeated guess is told what it was told', async () => {
    const { store } = given();
    const guess = guessOf({ most: { accountAndClient: 1, account: 1 } });
    expect(await store.guess(guess)).toBe(true);
    expect(await store.guess(guess)).toBe(true);
  });

  test('[HINT-3] what can be used once is used by one, as long as it is remembered', async () => {
    const { store, other, clock } = given();
    const id = randomUUID();
    const uses = await Promise.all(
      ['one', 'two', 'three'].map((operation) => store.useOnce('token', id, 50_000, operation)),
    );
    expect(uses.filter(Boolean)).toHaveLength(1);
    const winner = ['one', 'two', 'three'][uses.indexOf(true)] ?? '';
    expect(await other.useOnce('token', id, 50_000, winner)).toBe(true);
    expect(await other.useOnce('token', id, 50_000, 'four')).toBe(false);
    expect(await other.useOnce('another kind', id, 50_000, 'four')).toBe(true);
    clock.advance(50_000);
    expect(await other.useOnce('token', id, 50_000, 'four')).toBe(true);
  });
}
