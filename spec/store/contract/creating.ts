import fc from 'fast-check';
import { ask, decide, type Given, LIFETIME, needs, newRequest, places, poll, roads } from './given.js';

/** Storing, reading and listing requests. */
export function creating(given: () => Given): void {
  test('a request is read back as it was stored, pending and with its whole life ahead', async () => {
    const { store, tick } = given();
    const request = await ask(store, { payload: '{"scope":"openid"}' });
    const stored = await store.read(request.handle);
    expect(stored).toMatchObject({
      handle: request.handle,
      status: 'pending',
      clientId: request.clientId,
      accountId: request.accountId,
      payload: request.payload,
      decision: undefined,
    });
    expect(stored?.remaining).toBeGreaterThan(LIFETIME - tick);
    expect(stored?.remaining).toBeLessThanOrEqual(LIFETIME);
  });

  test.each([0, 1, 63, 64, 65, 128, 2_047, 2_048, 2_049, 60_000])(
    'a payload and a decision of %d characters are read back as they were',
    async (length) => {
      const { store, other } = given();
      const text = 'ä€x'.repeat(length).slice(0, length);
      const payload = 'x'.repeat(length);
      const request = await ask(store, { payload });
      expect((await other.read(request.handle))?.payload).toBe(payload);
      const { handle, accountId } = request;
      const decided = { handle, accountId, verdict: 'approved', decision: text, operation: 'o' } as const;
      await other.decide({ ...decided, owner: request });
      expect(await store.read(handle)).toMatchObject({ payload, decision: text });
      expect(await poll(store, handle)).toMatchObject({ payload, decision: text });
    },
  );

  test('the remaining life shrinks with time and ends at 0, the end of life stays', async () => {
    const { store, clock, tick } = given();
    const { handle } = await ask(store);
    const before = await store.read(handle);
    clock.advance(30_000);
    const later = await store.read(handle);
    expect(later?.remaining).toBeGreaterThan(LIFETIME - 30_000 - tick);
    expect(later?.remaining).toBeLessThanOrEqual(LIFETIME - 30_000);
    clock.advance(LIFETIME);
    expect(await store.read(handle)).toMatchObject({ remaining: 0, expiresAt: before?.expiresAt });
  });

  test('a handle that was never stored has nothing to read', async () => {
    expect(await given().store.read('nobody')).toBeUndefined();
  });

  test('storing a request again changes nothing and is told the same', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    const first = await store.read(request.handle);
    clock.advance(10_000);
    expect(await store.create({ ...request, payload: 'other', clientId: 'other' })).toBe('created');
    const again = await store.read(request.handle);
    expect(again).toEqual({ ...first, remaining: again?.remaining });
  });

  const over = [
    'approved',
    'claimed',
    'redeemed',
    'delivered',
    'undeliverable',
    'denied',
    'cancelled',
    'expired',
  ] as const;
  test.each(over)(
    'storing a request again that is %s takes no place of the account, and is told the same when all are taken',
    async (status) => {
      const { store } = given();
      const request = await ask(store, { ...needs(status), limits: places(1) });
      await roads[status](given(), request);
      expect(await store.create(request)).toBe('created');
      expect(await store.read(request.handle)).toMatchObject({ status });
      await ask(store, { accountId: request.accountId, limits: places(1) });
      expect(await store.create(request)).toBe('created');
    },
  );

  test('an account has no more pending requests than its limit, and what is refused is not stored', async () => {
    const { store } = given();
    const { accountId } = await ask(store, { limits: places(2) });
    await ask(store, { accountId, limits: places(2) });
    const refused = newRequest({ accountId, limits: places(2) });
    expect(await store.create(refused)).toBe('account');
    expect(await store.create(refused)).toBe('account');
    expect(await store.read(refused.handle)).toBeUndefined();
    expect(await store.list(accountId)).toHaveLength(2);
  });

  test('a request that is stored again does not count against its own limit', async () => {
    const { store } = given();
    const request = await ask(store, { limits: places(1) });
    expect(await store.create(request)).toBe('created');
  });

  test('another account is not held to what this one has', async () => {
    const { store } = given();
    await ask(store, { limits: places(1) });
    await ask(store, { limits: places(1) });
  });

  test('without a limit any number of requests may be pending', async () => {
    const { store } = given();
    const { accountId } = await ask(store);
    for (let left = 20; left > 0; left -= 1) await ask(store, { accountId });
    expect(await store.list(accountId)).toHaveLength(21);
  });

  test.each(over)('a request that is %s gives its place free', async (status) => {
    const { store } = given();
    const request = await ask(store, { ...needs(status), limits: places(1) });
    await roads[status](given(), request);
    await ask(store, { accountId: request.accountId, limits: places(1) });
  });

  test('of many requests at once exactly as many are stored as the account has places', async () => {
    const { store, other } = given();
    const { accountId } = newRequest();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? store : other).create(newRequest({ accountId, limits: places(5) })),
      ),
    );
    expect(answers.filter((answer) => answer === 'created')).toHaveLength(5);
    expect(await store.list(accountId)).toHaveLength(5);
  });

  test('the list of an account has its pending requests only, the one that ends first in front', async () => {
    const { store } = given();
    const last = await ask(store, { lifetime: 90_000 });
    const { accountId } = last;
    const first = await ask(store, { accountId, lifetime: 30_000 });
    const middle = await ask(store, { accountId, lifetime: 60_000 });
    for (const status of over.filter((each) => each !== 'expired')) {
      await roads[status](given(), await ask(store, { ...needs(status), accountId, lifetime: 45_000 }));
    }
    await ask(store);
    const listed = await store.list(accountId);
    expect(listed.map(({ handle }) => handle)).toEqual([first.handle, middle.handle, last.handle]);
    expect(listed).toEqual(listed.map((request) => ({ ...request, status: 'pending', accountId })));
  });

  test('a request leaves the list at the moment it expires', async () => {
    const { store, clock, tick } = given();
    const { handle, accountId } = await ask(store);
    const expiresAt = (await store.read(handle))?.expiresAt ?? 0;
    clock.moveTo(expiresAt - tick);
    expect(await store.list(accountId)).toHaveLength(1);
    clock.moveTo(expiresAt);
    expect(await store.list(accountId)).toEqual([]);
  });

  test('an account without requests has an empty list', async () => {
    expect(await given().store.list('nobody')).toEqual([]);
  });

  test('a request that is removed is gone at once and gives its place free', async () => {
    const { store, other } = given();
    const { handle, accountId } = await ask(store, { limits: places(1) });
    await store.remove(handle);
    await store.remove(handle);
    expect(await other.read(handle)).toBeUndefined();
    expect(await other.list(accountId)).toEqual([]);
    await ask(other, { accountId, limits: places(1) });
  });

  test('what one node stores the other node reads, lists and decides', async () => {
    const { store, other } = given();
    const request = await ask(store);
    expect(await other.read(request.handle)).toMatchObject({ status: 'pending', payload: request.payload });
    expect(await other.list(request.accountId)).toHaveLength(1);
    expect(await decide(other, request, 'approved')).toMatchObject({ result: 'decided' });
    expect(await store.read(request.handle)).toMatchObject({ status: 'approved' });
  });

  const texts: readonly [string, string][] = [
    ['empty', ''],
    ['Lua brackets', 'a ]] b --[[ c ]==] d'],
    ['control characters', 'a\0b\r\n$3\r\nc\u001f'],
    ['every plane of Unicode', 'é ß 漢字 🦄 \u{10ffff} \ufeff \u2028'],
    ['100 kB', 'x'.repeat(100 * 1024)],
    ['a number', '9007199254740993'],
    ['names that objects have', '{"__proto__":{"a":1},"constructor":2}'],
  ];
  test.each(texts)('payload and decision come back byte for byte: %s', async (_, text) => {
    await roundTrip(given(), text, text);
  });

  test('payload and decision come back byte for byte: anything', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(text, text, (payload, decision) => roundTrip(given(), payload, decision)),
      { numRuns: 200 },
    );
  });

  test('names of clients and accounts come back byte for byte and are told apart', async () => {
    const { store } = given();
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(name, name, async (clientId, accountId) => {
        const { handle } = await ask(store, { clientId, accountId });
        expect(await store.read(handle)).toMatchObject({ clientId, accountId });
        expect((await store.list(accountId)).map((request) => request.handle)).toContain(handle);
        const stranger = await store.decide({
          handle,
          owner: { clientId, accountId },
          accountId: `${accountId} `,
          verdict: 'approved',
          decision: '',
          operation: 'o',
        });
        expect(stranger).toEqual({ result: 'forbidden' });
        await store.remove(handle);
      }),
      { numRuns: 100 },
    );
  });

  test('a request lives and is remembered for as long as it was given, however short', async () => {
    const { store, clock } = given();
    const { handle } = await ask(store, { lifetime: 1_000, retention: 1_000 });
    clock.advance(1_000);
    expect(await store.read(handle)).toMatchObject({ status: 'expired', remaining: 0 });
    clock.advance(1_000);
    expect(await store.read(handle)).toBeUndefined();
  });
}

async function roundTrip({ store, other }: Given, payload: string, decision: string): Promise<void> {
  const request = await ask(store, { payload });
  const { handle, accountId, clientId } = request;
  await store.decide({ handle, owner: request, accountId, verdict: 'approved', decision, operation: 'o' });
  expect(await other.read(handle)).toMatchObject({ payload, decision });
  expect(await other.poll({ handle, clientId, operation: 'p' })).toMatchObject({ payload, decision });
}
