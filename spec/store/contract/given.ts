import { randomUUID } from 'node:crypto';
import type { Ending } from '../../../lib/store/outbox.js';
import type {
  ClaimResult,
  DecisionResult,
  Limits,
  NewRequest,
  PollResult,
  Store,
  Verdict,
} from '../../../lib/store/store.js';
import { type MovingClock, movingClock } from '../../support/clock.js';
import { until } from '../../support/until.js';
import type { Home, OpenHome } from '../homes.js';

export const CLIENT = 'till';
export const LIFETIME = 120_000;
export const RETENTION = 600_000;
export const COOLDOWN = 60_000;
export const INTERVAL = 5_000;
export const LEASE = 5_000;
export const CALLBACK = '{"token":"callback-secret"}';

/** What every test of the contract starts from: two nodes of a server group and a clock that they share. */
export interface Given {
  readonly store: Store;
  /** Another node over the same requests. */
  readonly other: Store;
  readonly clock: MovingClock;
  readonly tick: number;
}

/** Opens a home for the tests of the file and puts the clock right before each. */
export function givenStoreIn(home: Home): () => Given {
  const clock = movingClock();
  let open: OpenHome | undefined;
  let given: Given | undefined;
  beforeAll(async () => {
    open = await home.open();
    given = { store: open.node(clock.offset), other: open.node(clock.offset), clock, tick: home.tick };
    // Its connections are opened now: where the machine is busy, that takes longer than a command may.
    for (const store of [given.store, given.other]) {
      await until('the store answers', async () => (await store.read('nobody')) === undefined);
    }
  });
  afterAll(() => open?.close());
  beforeEach(() => clock.reset());
  return () => {
    if (!given) throw new Error('the home is not open');
    return given;
  };
}

/** So many pending requests an account may have, or any number; nothing else is limited. */
export function places(account?: number): Limits {
  return { account, cooldown: COOLDOWN };
}

export function newRequest(differences: Partial<NewRequest> = {}): NewRequest {
  return {
    handle: randomUUID(),
    clientId: CLIENT,
    accountId: randomUUID(),
    lifetime: LIFETIME,
    retention: RETENTION,
    interval: INTERVAL,
    payload: '{}',
    limits: places(),
    ...differences,
  };
}

/** Stores a request, and fails where that is refused. */
export async function ask(store: Store, differences: Partial<NewRequest> = {}): Promise<NewRequest> {
  const request = newRequest(differences);
  expect(await store.create(request)).toBe('created');
  return request;
}

export function poll(store: Store, handle: string, operation: string = randomUUID()): Promise<PollResult> {
  return store.poll({ handle, clientId: CLIENT, operation });
}

export function decide(
  store: Store,
  owner: NewRequest,
  verdict: Verdict,
  operation: string = randomUUID(),
  cooldown?: number,
): Promise<DecisionResult> {
  const decider = verdict === 'cancelled' ? undefined : owner.accountId;
  return store.decide({
    handle: owner.handle,
    owner,
    accountId: decider,
    verdict,
    decision: `{"${verdict}":1}`,
    operation,
    cooldown,
  });
}

export function claim(store: Store, handle: string, token: string = randomUUID()): Promise<ClaimResult> {
  return store.claim({ handle, clientId: CLIENT, token, lease: LEASE });
}

/** A poll that claims what is approved. */
export function claimingPoll(
  store: Store,
  handle: string,
  token: string = randomUUID(),
): Promise<PollResult> {
  const claim = { token, lease: LEASE };
  return store.poll({ handle, clientId: CLIENT, operation: randomUUID(), claim });
}

/** The end of a telling whose last turn sent something. */
export function ending(state: Ending['state'], differences: Partial<Ending> = {}): Ending {
  return { state, becomes: undefined, sent: true, note: `"${state}"`, ...differences };
}

/** Every status a request can have, and how a fresh one comes there. */
export const roads: Readonly<
  Record<
    | 'pending'
    | 'approved'
    | 'claimed'
    | 'redeemed'
    | 'delivered'
    | 'undeliverable'
    | 'denied'
    | 'cancelled'
    | 'expired',
    (given: Given, request: NewRequest) => Promise<void>
  >
> = {
  pending: async () => {},
  approved: async ({ store }, request) => {
    await decide(store, request, 'approved');
  },
  claimed: async ({ store }, request) => {
    await decide(store, request, 'approved');
    await claim(store, request.handle);
  },
  redeemed: async ({ store }, request) => {
    await decide(store, request, 'approved');
    await claim(store, request.handle, 'redeemer');
    await store.settle(request.handle, 'redeemer');
    await store.confirm(request.handle);
  },
  delivered: async ({ store }, request) => {
    await decide(store, request, 'approved');
    await store.outbox.end(request.handle, ending('delivered', { becomes: 'delivered' }));
  },
  undeliverable: async ({ store }, request) => {
    await decide(store, request, 'approved');
    await store.outbox.end(request.handle, ending('failed', { becomes: 'undeliverable' }));
  },
  denied: async ({ store }, request) => {
    await decide(store, request, 'denied');
  },
  cancelled: async ({ store }, request) => {
    await decide(store, request, 'cancelled');
  },
  expired: async ({ clock }, request) => {
    clock.advance(request.lifetime);
  },
};

/** What a request needs to come there: only where its client is told can it be delivered. */
export function needs(status: RoadEnd): Partial<NewRequest> {
  return status === 'delivered' || status === 'undeliverable' ? { callback: CALLBACK } : {};
}

export type RoadEnd = keyof typeof roads;

export const allStatuses = Object.keys(roads) as RoadEnd[];
