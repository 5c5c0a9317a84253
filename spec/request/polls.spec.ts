import { EventEmitter } from 'node:events';
import { Emitter } from '../../lib/emitter.js';
import { CibaError } from '../../lib/errors.js';
import { HeldPolls } from '../../lib/request/held-polls.js';
import { Polls } from '../../lib/request/polls.js';
import { UnderWay } from '../../lib/request/under-way.js';
import { CLAIM_LEASE } from '../../lib/store/lifecycle.js';
import { MemoryStore } from '../../lib/store/memory.js';
import type { PollAttempt, PollResult } from '../../lib/store/store.js';
import { ask, decide } from '../store/contract/given.js';
import { movingClock } from '../support/clock.js';

/** Whoever waits for an answer. */
class Client extends EventEmitter {
  destroyed = false;

  leave(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

/** A store whose answers to polls are lost, after it has done what was asked. */
class LosingStore extends MemoryStore {
  losing = 0;

  override async poll(attempt: PollAttempt): Promise<PollResult> {
    const found = await super.poll(attempt);
    if (this.losing === 0) return found;
    this.losing -= 1;
    throw new CibaError('store_unavailable', 'the store did not answer');
  }
}

const clock = movingClock();
let store: LosingStore;
let underWay: UnderWay;
let polls: Polls;
let handle: string;
const clientId = 'till';

beforeEach(async () => {
  clock.reset();
  store = new LosingStore(clock.offset);
  underWay = new UnderWay();
  polls = process();
  const request = await ask(store, { clientId });
  await decide(store, request, 'approved');
  handle = request.handle;
});

afterEach(() => store.close());

/** What one process asks the store by. */
const process = (): Polls =>
  new Polls({ store, events: new Emitter(), held: new HeldPolls(store, 10), underWay });

const statusOf = async () => (await store.read(handle))?.status;
const polled = () => polls.poll(handle, clientId);

test('TOK-7: of polls at once one has the claim, and whoever has it can settle', async () => {
  const found = await Promise.all(Array.from({ length: 20 }, polled));
  const claims = found.flatMap(({ claim }) => (claim ? [claim] : []));
  expect(claims).toHaveLength(1);
  expect(found.filter(({ result }) => result === 'claimed')).toHaveLength(19);
  expect(await store.settle(handle, claims[0]?.token ?? '', CLAIM_LEASE / 2)).toBe(true);
});

describe('what a poll has claimed and passed on', () => {
  test('is given back where whoever answers it does not ask for it, once the client has its answer', async () => {
    const client = new Client();
    polls.passOn(client, { handle, clientId, found: await polled() });
    expect(await statusOf()).toBe('claimed');
    client.leave();
    expect(await statusOf()).toBe('approved');
    expect(polls.passedOn(client, handle, clientId)).toBeUndefined();
  });

  test('is given back where nobody is to answer it', async () => {
    const client = new Client();
    polls.passOn(client, { handle, clientId, found: await polled() });
    polls.drop(client);
    expect(await statusOf()).toBe('approved');
  });

  test.each([
    ['another request', 'other', clientId],
    ['another client', undefined, 'kiosk'],
  ])('is given back where it turns out to be for %s', async (_, asked, asking) => {
    const client = new Client();
    polls.passOn(client, { handle, clientId, found: await polled() });
    expect(polls.passedOn(client, asked ?? handle, asking)).toBeUndefined();
    expect(await statusOf()).toBe('approved');
  });

  test('is kept for whoever asks for it, also after the client has gone', async () => {
    const client = new Client();
    const found = await polled();
    polls.passOn(client, { handle, clientId, found });
    expect(polls.passedOn(client, handle, clientId)).toBe(found);
    client.leave();
    expect(await statusOf()).toBe('claimed');
    expect(await store.settle(handle, found.claim?.token ?? '')).toBe(true);
  });
});

describe('a poll whose answer was lost', () => {
  const lost = async (): Promise<void> => {
    store.losing = 1;
    await expect(polled()).rejects.toMatchObject({ code: 'store_unavailable' });
  };

  test('has claimed nothing for good: the next one gives that back and claims', async () => {
    await lost();
    expect(await statusOf()).toBe('claimed');
    expect(await polled()).toMatchObject({ result: 'approved', claimed: true });
  });

  test('TOK-7: is repeated by many at once, of which one has the claim', async () => {
    await lost();
    const found = await Promise.all(Array.from({ length: 20 }, polled));
    expect(found.filter(({ claim }) => claim)).toHaveLength(1);
    expect(found.filter(({ result }) => result === 'claimed')).toHaveLength(19);
  });

  test('takes nothing from whoever has the claim by now', async () => {
    await lost();
    clock.advance(CLAIM_LEASE);
    const theirs = await process().poll(handle, clientId);
    expect(theirs).toMatchObject({ result: 'approved', claimed: true });
    expect(await polled()).toMatchObject({ result: 'claimed' });
    expect(await store.settle(handle, theirs.claim?.token ?? '')).toBe(true);
  });
});

describe('a poll leaves the claim to the redemption', () => {
  test('where much is under way, so that the claim is not over before its turn', async () => {
    for (let request = 0; request <= 100; request += 1) underWay.begin();
    expect(await polled()).toMatchObject({ result: 'approved', claimed: false });
    expect(await statusOf()).toBe('approved');
    underWay.end();
    expect(await polled()).toMatchObject({ result: 'approved', claimed: true });
  });

  test('where it may be held: thousands are woken at once', async () => {
    const hold = { milliseconds: 1_000, client: new Client() };
    expect(await polls.poll(handle, clientId, hold)).toMatchObject({ result: 'approved', claimed: false });
    expect(await statusOf()).toBe('approved');
  });
});

test('polls that are held count for nothing there: there is nothing to be done for them', async () => {
  const held = new HeldPolls(store, 200);
  const many = new Polls({ store, events: new Emitter(), held, underWay });
  for (let request = 0; request < 150; request += 1) {
    underWay.begin();
    await held.take('another');
  }
  expect(await many.poll(handle, clientId)).toMatchObject({ claimed: true });
});
