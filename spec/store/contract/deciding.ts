import type { Verdict } from '../../../lib/store/store.js';
import { allStatuses, ask, CLIENT, decide, type Given, needs, poll, type RoadEnd, roads } from './given.js';

const verdicts: readonly Verdict[] = ['approved', 'denied', 'cancelled'];

/** Decisions: the first one wins, in time, by the right person. */
export function deciding(given: () => Given): void {
  test.each(verdicts)('a pending request can be %s', async (verdict) => {
    const { store } = given();
    const request = await ask(store);
    expect(await decide(store, request, verdict)).toEqual({ result: 'decided' });
    expect(await store.read(request.handle)).toMatchObject({ status: verdict, decision: `{"${verdict}":1}` });
  });

  const conflicts = verdicts.flatMap((verdict) =>
    allStatuses.filter((status) => status !== 'pending').map((status) => [status, verdict] as const),
  );
  test.each(conflicts)('UX-4: a request that is %s cannot be %s any more', async (status, verdict) => {
    const { store, other } = given();
    const request = await ask(store, needs(status));
    await roads[status](given(), request);
    const before = await store.read(request.handle);
    expect(await decide(other, request, verdict)).toEqual({ result: 'conflict', status });
    const after = await store.read(request.handle);
    expect(after).toEqual({ ...before, remaining: after?.remaining });
  });

  test('UX-4: of many decisions at once exactly one wins and the others are told its outcome', async () => {
    const { store, other } = given();
    for (let round = 0; round < 25; round += 1) {
      const request = await ask(store);
      const attempts = [...verdicts, ...verdicts].map((verdict, index) => ({
        verdict,
        operation: `o${index}`,
      }));
      const answers = await Promise.all(
        attempts.map(async ({ verdict, operation }, index) => ({
          verdict,
          answer: await decide(index % 2 ? store : other, request, verdict, operation),
        })),
      );
      const won = answers.filter(({ answer }) => answer.result === 'decided');
      expect(won).toHaveLength(1);
      const status = won[0]?.verdict;
      expect(await store.read(request.handle)).toMatchObject({ status, decision: `{"${status}":1}` });
      for (const { answer } of answers.filter((each) => each !== won[0])) {
        expect(answer).toEqual({ result: 'conflict', status });
      }
    }
  });

  test.each(verdicts)(
    'a repeat of the decision that is %s is told the same and changes nothing',
    async (verdict) => {
      const { store, other } = given();
      const request = await ask(store);
      const first = await decide(store, request, verdict, 'this');
      expect(await decide(other, request, verdict, 'this')).toEqual(first);
      expect(await store.read(request.handle)).toMatchObject({ status: verdict });
    },
  );

  test('a repeat of a decision is told the same when the request has gone on or its life is over', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    const { handle } = request;
    const first = await decide(store, request, 'approved', 'this');
    await store.claim({ handle, clientId: CLIENT, token: 't', lease: 5_000 });
    expect(await decide(store, request, 'approved', 'this')).toEqual(first);
    await store.settle(handle, 't');
    expect(await decide(store, request, 'approved', 'this')).toEqual(first);
    clock.advance(request.lifetime);
    expect(await decide(store, request, 'approved', 'this')).toEqual(first);
    expect(await store.read(handle)).toMatchObject({ status: 'redeemed' });
  });

  test.each(allStatuses)('UX-3: nobody else can decide a request that is %s', async (status: RoadEnd) => {
    const { store } = given();
    const request = await ask(store, needs(status));
    await roads[status](given(), request);
    for (const accountId of ['mallory', '', ` ${request.accountId}`]) {
      const { handle } = request;
      const attempt = { handle, owner: request, accountId, verdict: 'approved', decision: '{}' } as const;
      expect(await store.decide({ ...attempt, operation: 'o' })).toEqual({ result: 'forbidden' });
    }
    expect(await store.read(request.handle)).toMatchObject({ status });
  });

  test('UX-5: a decision counts to the last moment of a request’s life and not from then on', async () => {
    const { store, clock, tick } = given();
    const [inTime, late] = [await ask(store), await ask(store)];
    const expiresAt = (await store.read(inTime.handle))?.expiresAt ?? 0;
    clock.moveTo(expiresAt - tick);
    expect(await decide(store, inTime, 'approved')).toMatchObject({ result: 'decided' });
    clock.moveTo(expiresAt + tick);
    expect(await decide(store, late, 'approved')).toEqual({ result: 'conflict', status: 'expired' });
    expect(await poll(store, late.handle)).toEqual({ result: 'expired' });
  });

  test('a decision at exactly the end of a request’s life comes too late', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    clock.moveTo((await store.read(request.handle))?.expiresAt ?? 0);
    expect(await decide(store, request, 'denied')).toEqual({ result: 'conflict', status: 'expired' });
  });

  test('a decision on a handle that was never stored, or whose retention is over, finds nothing and leaves nothing', async () => {
    const { store, clock } = given();
    const request = await ask(store);
    clock.advance(request.lifetime + request.retention);
    expect(await decide(store, request, 'approved')).toEqual({ result: 'gone' });
    expect(await store.read(request.handle)).toBeUndefined();
    const nobody = { ...request, handle: 'nobody' };
    expect(await decide(store, nobody, 'cancelled')).toEqual({ result: 'gone' });
    clock.reset();
    expect(await store.read('nobody')).toBeUndefined();
  });
}
