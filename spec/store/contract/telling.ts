import { type Ending, type Outbox, type Postponement, TAKEN_FOR } from '../../../lib/store/outbox.js';
import type { NewRequest } from '../../../lib/store/store.js';
import {
  allStatuses,
  ask,
  CALLBACK,
  decide,
  ending,
  type Given,
  LIFETIME,
  newRequest,
  type RoadEnd,
  roads,
} from './given.js';

const DELAY = 10_000;
const FAILED_FOR = 3_600_000;

/** The outbox: which clients have to be told, when, and where that stands. */
export function telling(given: () => Given): void {
  const box = (): Outbox => given().store.outbox;
  const otherBox = (): Outbox => given().other.outbox;
  const asked = (differences: Partial<NewRequest> = {}): Promise<NewRequest> =>
    ask(given().store, { callback: CALLBACK, ...differences });
  const approved = async (differences: Partial<NewRequest> = {}): Promise<string> => {
    const request = await asked(differences);
    await decide(given().store, request, 'approved');
    return request.handle;
  };
  const due = async (outbox = box(), limit = 100): Promise<string[]> =>
    (await outbox.due(limit)).map(({ handle }) => handle);
  const statusOf = async (handle: string) => (await given().store.read(handle))?.status;
  /** What is between a moment and the store's present, as far as a tick tells. */
  const about = (ms: number) => ({
    asymmetricMatch: (actual: unknown) => Math.abs(Number(actual) - ms) < given().tick,
    toString: () => `about ${ms}`,
  });
  const dueIn = async (handle: string): Promise<number> => {
    const { dueAt = 0, request } = (await box().find(handle)) ?? {};
    return dueAt - ((request?.expiresAt ?? 0) - (request?.remaining ?? 0));
  };

  /** The tests share a home: each begins with an empty index. */
  beforeEach(async () => {
    for (const handle of (await box().list()).waiting) await box().leave(handle, { secrets: true });
  });

  describe('a request', () => {
    test('that came without a callback has nobody to tell, whatever becomes of it', async () => {
      for (const callback of [undefined, '']) {
        const request = await asked({ callback, tellExpiry: true });
        await decide(given().store, request, 'approved');
        await expectNothing(request.handle);
        expect(await given().store.read(request.handle)).toMatchObject({ told: false, status: 'approved' });
      }
      expect((await box().list()).waiting).toEqual([]);
    });

    test('that came with one waits, nothing sent, for its first turn', async () => {
      const { store } = given();
      const { handle, accountId } = await asked();
      expect(await store.read(handle)).toMatchObject({ told: true });
      expect(await store.list(accountId)).toMatchObject([{ told: true }]);
      expect(await otherBox().find(handle)).toEqual({
        request: expect.objectContaining({ handle, told: true }),
        state: 'waiting',
        attempts: 0,
        turn: 1,
        dueAt: 0,
        note: undefined,
        callback: CALLBACK,
        body: undefined,
      });
      expect((await box().list()).waiting).toEqual([]);
    });

    test.each(allStatuses)('that is %s is found as it is read', async (status) => {
      const request = await asked();
      await roads[status](given(), request);
      const read = await given().store.read(request.handle);
      const found = await otherBox().find(request.handle);
      expect(found?.request).toEqual({ ...read, remaining: about(read?.remaining ?? 0) });
    });

    test('that is stored again keeps the callback that it came with, or that it came without', async () => {
      const { store } = given();
      const [told, polling] = [await asked(), await ask(store)];
      await store.create({ ...told, callback: 'other' });
      await store.create({ ...told, callback: undefined });
      await store.create({ ...polling, callback: 'other' });
      expect(await box().find(told.handle)).toMatchObject({ callback: CALLBACK });
      expect(await box().find(polling.handle)).toBeUndefined();
      await box().end(told.handle, ending('delivered'));
      await box().leave(told.handle, { secrets: true });
      await store.create(told);
      expect(await box().find(told.handle)).toMatchObject({ state: 'delivered', callback: undefined });
    });

    test('that was never stored has nobody to tell, and leaves nothing', async () => {
      await expectNothing('nobody');
      await box().leave('nobody', { secrets: true });
      expect((await box().list()).waiting).toEqual([]);
      expect(await given().store.read('nobody')).toBeUndefined();
    });

    test('that is removed takes its callback and its body with it', async () => {
      const handle = await approved();
      await box().keepBody(handle, 'body');
      await box().schedule(handle, 0);
      await given().other.remove(handle);
      expect(await box().due(10)).toEqual([{ handle, turn: 0 }]);
      await expectNothing(handle);
      await given().store.create(newRequest({ handle, callback: 'next' }));
      expect(await box().find(handle)).toMatchObject({ callback: 'next', body: undefined, turn: 1 });
    });

    test('that is gone has nobody to tell any more', async () => {
      const { clock } = given();
      const request = await asked();
      await decide(given().store, request, 'approved');
      await box().keepBody(request.handle, 'body');
      clock.advance(request.lifetime + request.retention);
      await expectNothing(request.handle);
      clock.reset();
      expect(await box().find(request.handle)).toMatchObject({ state: 'waiting', turn: 1, body: 'body' });
    });

    async function expectNothing(handle: string): Promise<void> {
      for (const outbox of [box(), otherBox()]) {
        expect(await outbox.find(handle)).toBeUndefined();
        expect(await outbox.keepBody(handle, 'body')).toBeUndefined();
        expect(await outbox.postpone(handle, later())).toBe(false);
        expect(await outbox.postpone(handle, later({ turn: 0 }))).toBe(false);
        expect(await outbox.end(handle, ending('delivered', { becomes: 'delivered' }))).toBeUndefined();
        expect(await outbox.reopen(handle)).toBeUndefined();
        expect(await outbox.find(handle)).toBeUndefined();
      }
    }
  });

  describe('an expiry', () => {
    test('PING-8: that is to be told is looked at when it comes, and not before', async () => {
      const { store, clock, tick } = given();
      const { handle } = await asked({ tellExpiry: true });
      expect((await box().list()).waiting).toEqual([handle]);
      const { expiresAt = 0 } = (await store.read(handle)) ?? {};
      clock.moveTo(expiresAt - tick);
      expect(await due()).toEqual([]);
      clock.moveTo(expiresAt);
      expect(await due(otherBox())).toEqual([handle]);
      expect(await box().find(handle)).toMatchObject({ request: { status: 'expired' }, callback: CALLBACK });
    });

    test('that is not to be told is not looked at', async () => {
      await asked();
      await asked({ tellExpiry: false });
      expect((await box().list()).waiting).toEqual([]);
    });

    test('is looked at when it comes, though the request is stored again meanwhile', async () => {
      const { store, clock } = given();
      const request = await asked({ tellExpiry: true });
      const { expiresAt = 0 } = (await store.read(request.handle)) ?? {};
      clock.advance(30_000);
      await given().other.create(request);
      clock.moveTo(expiresAt);
      expect(await due()).toEqual([request.handle]);
    });

    test('does not put off what is to be looked at before', async () => {
      const { store, clock } = given();
      const request = await asked({ tellExpiry: true });
      await box().schedule(request.handle, DELAY);
      await store.create(request);
      clock.advance(DELAY);
      expect(await due()).toEqual([request.handle]);
    });
  });

  describe('the index', () => {
    test('has nothing because of a decision alone', async () => {
      await approved();
      expect((await box().list()).waiting).toEqual([]);
    });

    test('gives a request when its time has come, and not before', async () => {
      const { clock, tick } = given();
      const handle = await approved();
      await box().schedule(handle, DELAY);
      expect(await due()).toEqual([]);
      clock.advance(DELAY - tick);
      expect(await due(otherBox())).toEqual([]);
      clock.advance(tick);
      expect(await otherBox().due(10)).toEqual([{ handle, turn: 1 }]);
    });

    test('gives what was taken to nobody for a while, and then again', async () => {
      const { clock, tick } = given();
      const handle = await approved();
      await box().schedule(handle, 0);
      expect(await due()).toEqual([handle]);
      expect(await due(otherBox())).toEqual([]);
      clock.advance(TAKEN_FOR - tick);
      expect(await due()).toEqual([]);
      expect((await box().list()).waiting).toEqual([handle]);
      clock.advance(tick);
      expect(await due(otherBox())).toEqual([handle]);
    });

    test('has the time of the last `schedule`, earlier or later', async () => {
      const { clock } = given();
      const [earlier, later] = [await approved(), await approved()];
      await box().schedule(earlier, 2 * DELAY);
      await box().schedule(later, DELAY);
      await otherBox().schedule(earlier, DELAY);
      await otherBox().schedule(later, 2 * DELAY);
      clock.advance(DELAY);
      expect(await due()).toEqual([earlier]);
      clock.advance(DELAY);
      expect(await due()).toContain(later);
    });

    test('gives at most as many as are wanted, the longest due in front, and lists in the same order', async () => {
      const { clock } = given();
      const handles = [await approved(), await approved(), await approved()];
      for (const [index, at] of [3, 1, 2].entries()) await box().schedule(handles[index] ?? '', at * 1_000);
      const sorted = [handles[1], handles[2], handles[0]];
      expect((await otherBox().list()).waiting).toEqual(sorted);
      clock.advance(5_000);
      expect(await due(box(), 2)).toEqual(sorted.slice(0, 2));
      expect(await due(otherBox(), 2)).toEqual(sorted.slice(2));
    });

    test('PUSH-7: gives nobody what another takes at the same time', async () => {
      for (let round = 0; round < 10; round += 1) {
        const handles = await Promise.all(Array.from({ length: 30 }, () => approved()));
        await Promise.all(handles.map((handle) => box().schedule(handle, 0)));
        const taken = await Promise.all(
          Array.from({ length: 20 }, (_, index) => due(index % 2 ? box() : otherBox(), 4)),
        );
        expect(taken.flat().sort()).toEqual(handles.sort());
        for (const handle of handles) await box().leave(handle, { secrets: true });
      }
    });

    test('gives the present turn', async () => {
      const { clock } = given();
      const handle = await approved();
      await box().postpone(handle, later({ turn: 1 }));
      await otherBox().postpone(handle, later({ turn: 2 }));
      clock.advance(DELAY);
      expect(await box().due(10)).toEqual([{ handle, turn: 3 }]);
    });
  });

  describe('the body of a push', () => {
    test('PUSH-7: the first that is kept stands, for every node', async () => {
      const handle = await approved();
      expect(await box().keepBody(handle, 'first')).toBe('first');
      expect(await otherBox().keepBody(handle, 'second')).toBe('first');
      expect(await box().keepBody(handle, 'first')).toBe('first');
      expect(await otherBox().find(handle)).toMatchObject({ body: 'first', callback: CALLBACK });
    });

    test('PUSH-7: of many that are kept at once one stands, and all are told which', async () => {
      for (let round = 0; round < 10; round += 1) {
        const handle = await approved();
        const told = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (index % 2 ? box() : otherBox()).keepBody(handle, `body ${index}`),
          ),
        );
        expect(new Set(told).size).toBe(1);
        expect(told[0]).toMatch(/^body \d+$/);
        expect(await box().find(handle)).toMatchObject({ body: told[0] });
      }
    });

    test('PUSH-8: is told to nobody from when the telling was given up', async () => {
      const [kept, fresh] = [await approved(), await approved()];
      await box().keepBody(kept, 'body');
      for (const handle of [kept, fresh]) {
        await box().end(handle, ending('failed'));
        expect(await otherBox().keepBody(handle, 'body')).toBeUndefined();
        expect(await otherBox().keepBody(handle, 'other')).toBeUndefined();
      }
      expect(await box().find(kept)).toMatchObject({ body: 'body' });
      expect(await box().find(fresh)).toMatchObject({ body: undefined });
    });

    test.each([false, true])(
      'PUSH-7: once it was delivered only who kept it is told so (secrets forgotten: %s)',
      async (secrets) => {
        const [kept, fresh] = [await approved(), await approved()];
        await box().keepBody(kept, 'body');
        for (const handle of [kept, fresh]) {
          await box().end(handle, ending('delivered', { becomes: 'delivered' }));
          if (secrets) await box().leave(handle, { secrets });
        }
        expect(await otherBox().keepBody(kept, 'body')).toBe('body');
        expect(await otherBox().keepBody(kept, 'other')).toBeUndefined();
        expect(await otherBox().keepBody(fresh, 'body')).toBeUndefined();
        expect(await box().find(fresh)).toMatchObject({ body: undefined });
      },
    );

    test('is not kept where the callback is forgotten', async () => {
      const handle = await approved();
      await box().leave(handle, { secrets: true });
      expect(await otherBox().keepBody(handle, 'body')).toBeUndefined();
      expect(await box().find(handle)).toMatchObject({ state: 'waiting', body: undefined });
    });
  });

  describe('a turn', () => {
    test('PING-7: that is postponed is followed by the next, and counts where something was sent', async () => {
      const handle = await approved();
      expect(await box().postpone(handle, later({ note: 'one' }))).toBe(true);
      expect(await otherBox().find(handle)).toMatchObject({ turn: 2, attempts: 1, note: 'one' });
      expect(await dueIn(handle)).toEqual(about(DELAY));
      const more = { turn: 2, sent: false, delay: 3 * DELAY, note: 'two' };
      expect(await otherBox().postpone(handle, more)).toBe(true);
      expect(await box().find(handle)).toMatchObject({
        turn: 3,
        attempts: 1,
        note: 'two',
        state: 'waiting',
        callback: CALLBACK,
      });
      expect(await dueIn(handle)).toEqual(about(3 * DELAY));
    });

    test('that is postponed is looked at when the next is due, and not before', async () => {
      const { clock, tick } = given();
      const handle = await approved();
      await box().schedule(handle, 0);
      await box().due(10);
      await box().postpone(handle, later({ delay: 2 * TAKEN_FOR }));
      clock.advance(2 * TAKEN_FOR - tick);
      expect(await due()).toEqual([]);
      clock.advance(tick);
      expect(await otherBox().due(10)).toEqual([{ handle, turn: 2 }]);
    });

    test.each([0, 0.4, 1_234.56])('may be postponed by %d ms, to the millisecond', async (delay) => {
      const handle = await approved();
      expect(await box().postpone(handle, later({ delay }))).toBe(true);
      expect(Number.isInteger((await box().find(handle))?.dueAt)).toBe(true);
      expect(await dueIn(handle)).toEqual(about(Math.round(delay)));
    });

    test('that is postponed again is told the same, and nothing is counted or moved', async () => {
      const { clock } = given();
      const handle = await approved();
      await box().postpone(handle, later({ note: 'first' }));
      const before = await box().find(handle);
      clock.advance(DELAY - 4_000);
      const again = later({ delay: 50 * DELAY, note: 'second', sent: true });
      expect(await otherBox().postpone(handle, again)).toBe(true);
      expect(await box().find(handle)).toMatchObject({
        turn: 2,
        attempts: 1,
        note: 'first',
        dueAt: before?.dueAt,
      });
      expect(await due()).toEqual([]);
      clock.advance(4_000);
      expect(await due()).toEqual([handle]);
    });

    test('PING-7: that many postpone at once counts once', async () => {
      for (let round = 0; round < 10; round += 1) {
        const handle = await approved();
        const told = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (index % 2 ? box() : otherBox()).postpone(handle, later({ note: `${index}` })),
          ),
        );
        expect(new Set(told)).toEqual(new Set([true]));
        expect(await box().find(handle)).toMatchObject({ turn: 2, attempts: 1 });
      }
    });

    test.each([0, 1, 4])('%d cannot be postponed while the third is the present one', async (turn) => {
      const handle = await approved();
      await box().postpone(handle, later({ turn: 1 }));
      await box().postpone(handle, later({ turn: 2 }));
      await box().leave(handle, { secrets: false });
      const before = await box().find(handle);
      expect(await otherBox().postpone(handle, later({ turn, note: 'late' }))).toBe(false);
      expect(await box().find(handle)).toEqual({ ...before, request: expect.anything() });
      expect((await box().list()).waiting).toEqual([]);
    });

    test('that ended as the last one cannot be postponed after the telling was opened again', async () => {
      const handle = await approved();
      await box().end(handle, ending('failed'));
      expect(await box().reopen(handle)).toBe(2);
      expect(await otherBox().postpone(handle, later({ turn: 1 }))).toBe(false);
      expect(await box().find(handle)).toMatchObject({ turn: 2, attempts: 1 });
      expect(await otherBox().postpone(handle, later({ turn: 2 }))).toBe(true);
    });
  });

  describe('the end', () => {
    const states: readonly Ending['state'][] = ['delivered', 'failed'];
    test.each(states)('PUSH-8: that comes first stands: %s', async (state) => {
      const handle = await approved();
      const [late] = states.filter((other) => other !== state) as [Ending['state']];
      await box().postpone(handle, later());
      expect(await box().end(handle, ending(state, { note: 'first' }))).toBe(state);
      for (const outbox of [box(), otherBox()]) {
        expect(await outbox.end(handle, ending(late, { note: 'late', becomes: 'delivered' }))).toBe(state);
        expect(await outbox.end(handle, ending(state, { note: 'late' }))).toBe(state);
      }
      expect(await box().find(handle)).toMatchObject({
        state,
        attempts: 2,
        turn: 2,
        dueAt: 0,
        note: 'first',
        callback: CALLBACK,
      });
      expect(await statusOf(handle)).toBe('approved');
      expect(await box().postpone(handle, later({ turn: 2 }))).toBe(false);
      expect(await box().postpone(handle, later({ turn: 1 }))).toBe(false);
    });

    test('PUSH-7: of a turn that another has ended already ends nothing', async () => {
      const handle = await approved();
      await box().postpone(handle, later());
      const before = await box().find(handle);
      const late = ending('failed', { turn: 1, becomes: 'undeliverable' });
      expect(await otherBox().end(handle, late)).toBe('waiting');
      expect(await box().find(handle)).toEqual({ ...before, request: expect.anything() });
      expect(await statusOf(handle)).toBe('approved');
      expect(await otherBox().end(handle, { ...late, turn: 2 })).toBe('failed');
      expect(await statusOf(handle)).toBe('undeliverable');
    });

    test('counts no attempt where nothing was sent', async () => {
      const handle = await approved();
      await box().end(handle, ending('failed', { sent: false }));
      expect(await box().find(handle)).toMatchObject({ attempts: 0 });
    });

    test('PUSH-8: of many at once one stands, and all are told which', async () => {
      for (let round = 0; round < 10; round += 1) {
        const handle = await approved();
        const told = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            index % 2
              ? box().end(handle, ending('delivered', { becomes: 'delivered' }))
              : otherBox().end(handle, ending('failed', { becomes: 'undeliverable' })),
          ),
        );
        expect(new Set(told).size).toBe(1);
        const [state] = told;
        expect(await box().find(handle)).toMatchObject({ state, attempts: 1 });
        expect(await statusOf(handle)).toBe(state === 'failed' ? 'undeliverable' : 'delivered');
      }
    });

    const others: readonly RoadEnd[] = allStatuses.filter((status) => status !== 'approved');
    test.each(others)('changes nothing else of a request that is %s', async (status) => {
      for (const becomes of ['delivered', 'undeliverable'] as const) {
        given().clock.reset();
        const request = await asked();
        await roads[status](given(), request);
        const stood = (await box().find(request.handle))?.state;
        const told = await box().end(request.handle, ending('failed', { becomes }));
        expect(told).toBe(stood === 'waiting' ? 'failed' : stood);
        expect(await statusOf(request.handle)).toBe(status);
      }
    });

    test.each(['delivered', 'undeliverable'] as const)(
      'PUSH-7: makes an approved request %s',
      async (becomes) => {
        const handle = await approved();
        await box().end(handle, ending('delivered', { becomes }));
        expect(await statusOf(handle)).toBe(becomes);
        expect(await box().find(handle)).toMatchObject({
          request: { status: becomes, decision: '{"approved":1}' },
        });
      },
    );

    test('makes a request delivered that was approved, though its life ended meanwhile', async () => {
      const handle = await approved();
      given().clock.advance(LIFETIME);
      expect(await box().end(handle, ending('delivered', { becomes: 'delivered' }))).toBe('delivered');
      expect(await statusOf(handle)).toBe('delivered');
    });
  });

  describe('leaving', () => {
    test('is no longer looked at, and keeps the secrets where they are still needed', async () => {
      const { clock } = given();
      const handle = await approved();
      await box().keepBody(handle, 'body');
      await box().schedule(handle, 0);
      await otherBox().leave(handle, { secrets: false });
      await otherBox().leave(handle, { secrets: false });
      expect((await box().list()).waiting).toEqual([]);
      clock.advance(TAKEN_FOR);
      expect(await due()).toEqual([]);
      expect(await box().find(handle)).toMatchObject({ callback: CALLBACK, body: 'body', state: 'waiting' });
    });

    test('PRIV-5: forgets what the client was told with, and nothing else', async () => {
      const handle = await approved();
      await box().keepBody(handle, 'body');
      await box().end(handle, ending('delivered', { note: 'n' }));
      const before = await box().find(handle);
      await otherBox().leave(handle, { secrets: true });
      expect(await box().find(handle)).toEqual({
        ...before,
        request: expect.objectContaining({ handle, told: true }),
        callback: undefined,
        body: undefined,
      });
    });

    test('lists what was given up for as long as it is wanted, and not for longer', async () => {
      const { clock, tick } = given();
      const [long, short] = [await approved(), await approved()];
      await box().leave(long, { secrets: true, failedFor: 2 * FAILED_FOR });
      await box().leave(short, { secrets: true, failedFor: FAILED_FOR });
      await box().leave(short, { secrets: true });
      const failed = async () =>
        (await otherBox().list()).failed.filter((each) => [long, short].includes(each));
      expect(await failed()).toEqual([short, long]);
      clock.advance(FAILED_FOR - tick);
      expect(await failed()).toEqual([short, long]);
      clock.advance(tick);
      expect(await failed()).toEqual([long]);
      clock.advance(FAILED_FOR);
      expect(await failed()).toEqual([]);
    });

    test('of one that is not given up is listed nowhere', async () => {
      const handle = await approved();
      await box().schedule(handle, 0);
      await box().leave(handle, { secrets: true });
      const { waiting, failed } = await box().list();
      expect([...waiting, ...failed]).not.toContain(handle);
    });
  });

  describe('opening again', () => {
    const giveUp = async (handle: string, differences: Partial<Ending> = {}, secrets = false) => {
      await box().end(handle, ending('failed', differences));
      await box().leave(handle, { secrets, failedFor: FAILED_FOR });
    };
    const table: readonly [string, number | undefined, (request: NewRequest) => Promise<void>][] = [
      ['is pending', undefined, async () => {}],
      ['waits, approved', 1, (request) => roads.approved(given(), request)],
      ['waits, denied', 1, (request) => roads.denied(given(), request)],
      ['waits, cancelled', 1, (request) => roads.cancelled(given(), request)],
      ['waits, redeemed', 1, (request) => roads.redeemed(given(), request)],
      [
        'waits after a turn',
        2,
        async (request) => {
          await roads.approved(given(), request);
          await box().postpone(request.handle, later());
        },
      ],
      [
        'was given up',
        2,
        async (request) => {
          await roads.approved(given(), request);
          await giveUp(request.handle);
        },
      ],
      [
        'was given up after a turn',
        3,
        async (request) => {
          await roads.denied(given(), request);
          await box().postpone(request.handle, later());
          await giveUp(request.handle);
        },
      ],
      [
        'was given up, its secrets forgotten',
        undefined,
        async (request) => {
          await roads.approved(given(), request);
          await giveUp(request.handle, {}, true);
        },
      ],
      ['is undeliverable', undefined, (request) => roads.undeliverable(given(), request)],
      ['is delivered', undefined, (request) => roads.delivered(given(), request)],
      [
        'was told of its tokens',
        undefined,
        async (request) => {
          await roads.approved(given(), request);
          await box().end(request.handle, ending('delivered'));
        },
      ],
      ['is expired', undefined, (request) => roads.expired(given(), request)],
      [
        'was approved, its life over',
        undefined,
        async (request) => {
          await roads.approved(given(), request);
          given().clock.advance(request.lifetime);
        },
      ],
      [
        'was given up, its life over',
        undefined,
        async (request) => {
          await roads.denied(given(), request);
          await giveUp(request.handle);
          given().clock.advance(request.lifetime);
        },
      ],
    ];
    test.each(table)('PUSH-8: a request that %s: the turn to come is %p', async (_, turn, comeThere) => {
      const request = await asked();
      await comeThere(request);
      const before = await box().find(request.handle);
      expect(await box().reopen(request.handle)).toBe(turn);
      expect(await otherBox().reopen(request.handle)).toBe(turn);
      const after = await box().find(request.handle);
      if (before?.state === 'failed' && turn !== undefined) {
        const { attempts, note, callback } = before;
        expect(after).toMatchObject({ state: 'waiting', turn, attempts, note, callback });
        expect(await dueIn(request.handle)).toEqual(about(0));
        expect((await box().list()).failed).not.toContain(request.handle);
        expect(await otherBox().end(request.handle, ending('delivered'))).toBe('delivered');
      } else {
        expect(after).toEqual({ ...before, request: expect.anything() });
      }
    });

    test('at once by many opens one turn', async () => {
      const handle = await approved();
      await giveUp(handle);
      const turns = await Promise.all(
        Array.from({ length: 20 }, (_, index) => (index % 2 ? box() : otherBox()).reopen(handle)),
      );
      expect(new Set(turns)).toEqual(new Set([2]));
    });

    test('takes it from the list of those given up, though the telling was open', async () => {
      const handle = await approved();
      await box().leave(handle, { secrets: false, failedFor: FAILED_FOR });
      await box().reopen(handle);
      expect((await box().list()).failed).not.toContain(handle);
    });
  });

  const texts: readonly [string, string][] = [
    ['Lua brackets', 'a ]] b --[[ c ]==] d'],
    ['control characters', 'a\0b\r\n$3\r\nc\u001f'],
    ['every plane of Unicode', 'é ß 漢字 🦄 \u{10ffff} \ufeff \u2028'],
    ['100 kB', 'x'.repeat(100 * 1024)],
    ['a number', '9007199254740993'],
  ];
  test.each(texts)('callback, body and note come back byte for byte: %s', async (_, text) => {
    const handle = await approved({ callback: text });
    expect(await box().keepBody(handle, text)).toBe(text);
    await box().postpone(handle, later({ note: text }));
    expect(await otherBox().find(handle)).toMatchObject({ callback: text, body: text, note: text });
    await box().end(handle, ending('delivered', { note: `${text}!` }));
    expect(await otherBox().find(handle)).toMatchObject({ note: `${text}!` });
  });
}

function later(differences: Partial<Postponement> = {}): Postponement {
  return { turn: 1, delay: DELAY, sent: true, note: 'later', ...differences };
}
