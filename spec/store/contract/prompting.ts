import { randomUUID } from 'node:crypto';
import { PROMPT_TAKEN_FOR } from '../../../lib/store/prompts.js';
import { PROMPTED_WITHIN } from '../../../lib/store/store.js';
import { ask, decide, type Given, LIFETIME, newRequest, RETENTION } from './given.js';

/** Which people have to be prompted, and how far that is. */
export function prompting(given: () => Given): void {
  const prompted = (lifetime = LIFETIME) => ask(given().store, { prompted: true, lifetime });

  /** Takes all that is due, and gives what of it is about this request. */
  const dueOf = async (handle: string) =>
    (await given().other.prompts.due(1_000)).filter((each) => each.handle === handle);

  test('a request whose person is prompted is looked at, though nobody begins', async () => {
    const { store, clock } = given();
    const { handle } = await prompted();
    expect((await store.read(handle))?.prompted).toBe(true);
    expect(await dueOf(handle)).toEqual([]);
    clock.advance(PROMPTED_WITHIN);
    expect(await dueOf(handle)).toEqual([{ handle, turn: 1 }]);
  });

  test('one whose person is not prompted is nowhere in it', async () => {
    const { store, clock } = given();
    const { handle } = await ask(store);
    clock.advance(PROMPTED_WITHIN);
    expect(await dueOf(handle)).toEqual([]);
    expect(await store.prompts.find(handle)).toBeUndefined();
    expect(
      await store.prompts.advance(handle, { turn: 1, progress: '', delay: 0, operation: randomUUID() }),
    ).toBe(false);
    expect((await store.read(handle))?.prompted).toBe(false);
  });

  test('storing it again does not put it off', async () => {
    const { store, clock } = given();
    const request = newRequest({ prompted: true });
    await store.create(request);
    clock.advance(PROMPTED_WITHIN - 1_000);
    await store.create(request);
    clock.advance(1_000);
    expect(await dueOf(request.handle)).toHaveLength(1);
  });

  test('what was taken is taken by nobody else for a while', async () => {
    const { store, clock } = given();
    const { handle } = await prompted();
    await store.prompts.schedule(handle, 0);
    expect(await dueOf(handle)).toHaveLength(1);
    expect(await dueOf(handle)).toEqual([]);
    clock.advance(PROMPT_TAKEN_FOR);
    expect(await dueOf(handle)).toHaveLength(1);
  });

  test('a turn ends once, and says when the next is', async () => {
    const { store, other, clock } = given();
    const { handle } = await prompted();
    expect(
      await store.prompts.advance(handle, {
        turn: 1,
        progress: 'one',
        delay: 20_000,
        operation: randomUUID(),
      }),
    ).toBe(true);
    expect(
      await other.prompts.advance(handle, { turn: 1, progress: 'other', delay: 0, operation: randomUUID() }),
    ).toBe(false);
    expect(await other.prompts.find(handle)).toMatchObject({ turn: 2, progress: 'one' });
    clock.advance(19_000);
    expect(await dueOf(handle)).toEqual([]);
    clock.advance(1_000);
    expect(await dueOf(handle)).toEqual([{ handle, turn: 2 }]);
    expect(
      await other.prompts.advance(handle, { turn: 3, progress: 'three', delay: 0, operation: randomUUID() }),
    ).toBe(false);
    expect(
      await other.prompts.advance(handle, { turn: 2, progress: 'two', delay: 0, operation: randomUUID() }),
    ).toBe(true);
    expect(
      await other.prompts.advance(handle, { turn: 1, progress: 'one', delay: 0, operation: randomUUID() }),
    ).toBe(false);
    expect(await store.prompts.find(handle)).toMatchObject({ turn: 3, progress: 'two' });
  });

  test('of two that end a turn at once the first stands', async () => {
    const { store, other } = given();
    const { handle } = await prompted();
    const ends = ['one', 'two'].map((progress, index) =>
      (index ? other : store).prompts.advance(handle, {
        turn: 1,
        progress,
        delay: 0,
        operation: randomUUID(),
      }),
    );
    expect((await Promise.all(ends)).sort()).toEqual([false, true]);
    const found = await store.prompts.find(handle);
    expect({ turn: found?.turn, one: ['one', 'two'].includes(String(found?.progress)) }).toEqual({
      turn: 2,
      one: true,
    });
  });

  test('the end of a turn does not put off a decision that announces itself', async () => {
    const { store, other, clock } = given();
    const { handle } = await prompted();
    const end = (turn: number) =>
      other.prompts.advance(handle, { turn, progress: '', delay: 20_000, operation: randomUUID() });
    // Whoever decides notes it first, and may be killed after the decision.
    await store.prompts.schedule(handle, 1_000);
    expect(await end(1)).toBe(true);
    clock.advance(1_000);
    expect(await dueOf(handle)).toEqual([{ handle, turn: 2 }]);
    // Looked at once, it is as any other.
    expect(await end(2)).toBe(true);
    clock.advance(19_000);
    expect(await dueOf(handle)).toEqual([]);
    clock.advance(1_000);
    expect(await dueOf(handle)).toEqual([{ handle, turn: 3 }]);
  });

  test('whoever ends a turn again is told what it was told, though others have gone on', async () => {
    const { store, other } = given();
    const { handle } = await prompted();
    const first = { turn: 1, progress: 'one', delay: 0, operation: randomUUID() };
    expect(await store.prompts.advance(handle, first)).toBe(true);
    const second = { turn: 2, progress: 'two', delay: 0, operation: randomUUID() };
    expect(await other.prompts.advance(handle, second)).toBe(true);
    expect(await store.prompts.advance(handle, first)).toBe(true);
    expect(await store.prompts.find(handle)).toMatchObject({ turn: 3, progress: 'two' });
  });

  test('it is found with the request as it stands, before and after its decision', async () => {
    const { store, other, clock } = given();
    const request = await prompted();
    const { handle } = request;
    expect(await other.prompts.find(handle)).toEqual({
      // Time goes on between the two.
      request: { ...(await store.read(handle)), remaining: expect.any(Number) },
      turn: 1,
      progress: undefined,
    });
    await decide(store, request, 'denied');
    expect((await other.prompts.find(handle))?.request).toMatchObject({
      status: 'denied',
      decision: '{"denied":1}',
    });
    clock.advance(LIFETIME + RETENTION);
    expect(await store.prompts.find(handle)).toBeUndefined();
  });

  test('one that is left is looked at no more', async () => {
    const { store, clock } = given();
    const { handle } = await prompted();
    await store.prompts.leave(handle);
    await store.prompts.leave(handle);
    clock.advance(PROMPTED_WITHIN);
    expect(await dueOf(handle)).toEqual([]);
  });

  test('one that is gone has turn 0, so that whoever takes it can leave it', async () => {
    const { store, clock } = given();
    const { handle } = await prompted(20_000);
    clock.advance(20_000 + RETENTION);
    expect(await dueOf(handle)).toEqual([{ handle, turn: 0 }]);
    expect(await store.prompts.find(handle)).toBeUndefined();
    const late = { turn: 1, progress: 'late', delay: 0, operation: randomUUID() };
    expect(await store.prompts.advance(handle, late)).toBe(false);
  });

  test('it is there beside the telling of a client', async () => {
    const { store } = given();
    const { handle } = await ask(store, { prompted: true, callback: 'callback' });
    expect((await store.outbox.find(handle))?.request.prompted).toBe(true);
    expect((await store.prompts.find(handle))?.request.told).toBe(true);
  });

  test('what a turn wrote down replaces what the turn before it did, whatever their lengths', async () => {
    const { store, other } = given();
    const { handle } = await ask(store, { prompted: true });
    for (const [index, length] of [10, 300, 64, 2_100, 0, 130].entries()) {
      const progress = 'p'.repeat(length);
      const turn = { turn: index + 1, progress, delay: 0, operation: randomUUID() };
      expect(await store.prompts.advance(handle, turn)).toBe(true);
      expect(await other.prompts.find(handle)).toMatchObject({ turn: index + 2, progress });
    }
  });
}
