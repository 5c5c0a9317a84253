import { createHash, randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { Encryption } from '../../lib/store/encryption.js';
import { RedisStore } from '../../lib/store/redis.js';
import type { NewRequest } from '../../lib/store/store.js';
import { movingClock } from '../support/clock.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { ask, CALLBACK, CLIENT, decide, ending, newRequest, poll } from './contract/given.js';

type Keys = readonly (Uint8Array | string)[];

const [KEY, OTHER] = [randomBytes(32), randomBytes(32)];

describe('what is encrypted', () => {
  const PLACE = ['payload', 'till', 'alice'];
  const texts = fc.string({ unit: 'binary', maxLength: 5_000 });

  test('comes back as it was, never looks the same twice, and says nothing of the text', () => {
    const encryption = new Encryption([KEY]);
    fc.assert(
      fc.property(texts, (text) => {
        const sealed = encryption.seal(text, 'ciba:{h}', PLACE);
        expect(encryption.open(sealed, 'ciba:{h}', PLACE)).toBe(text);
        expect(encryption.seal(text, 'ciba:{h}', PLACE)).not.toBe(sealed);
        expect(sealed).toMatch(/^enc1\.[\w-]{8}\.[\w-]+$/);
        if (text.length > 7) expect(sealed).not.toContain(text);
      }),
    );
  });

  test('is refused where one character of it is another, or is missing', () => {
    const encryption = new Encryption([KEY]);
    const sealed = encryption.seal('{"scope":"openid"}', 'ciba:{h}', PLACE);
    const open = (value: string) => () => encryption.open(value, 'ciba:{h}', PLACE);
    for (let at = 0; at < sealed.length; at += 1) {
      // The other end of the alphabet: no bits that base64url leaves unused.
      const other = sealed[at] === 'A' || sealed[at] === 'B' ? 'z' : 'A';
      expect(open(sealed.slice(0, at) + other + sealed.slice(at + 1))).toThrow(/^it /);
      expect(open(sealed.slice(0, at))).toThrow(/^it /);
    }
    expect(open(sealed)()).toBe('{"scope":"openid"}');
  });

  test.each([
    ['of another record', 'ciba:{other}', PLACE],
    ['of another prefix', 'other:{h}', PLACE],
    ['of another field', 'ciba:{h}', ['decision', 'till', 'alice']],
    ['of another client', 'ciba:{h}', ['payload', 'kiosk', 'alice']],
    ['of another account', 'ciba:{h}', ['payload', 'till', 'bob']],
    ['of names with another boundary', 'ciba:{h}', ['payload', 'till","alice']],
  ])('is refused at the place %s', (_, record, place) => {
    const encryption = new Encryption([KEY]);
    const sealed = encryption.seal('{}', 'ciba:{h}', PLACE);
    expect(() => encryption.open(sealed, record, place)).toThrow('it was altered, or is not in its place');
    expect(encryption.open(sealed, 'ciba:{h}', PLACE)).toBe('{}');
  });

  test('is under a key of its record: no two records share one', () => {
    const encryption = new Encryption([KEY]);
    const body = (sealed: string) => sealed.slice('enc1.'.length + 9);
    const sealed = Array.from({ length: 200 }, (_, at) => encryption.seal('{}', `ciba:{${at}}`, PLACE));
    expect(new Set(sealed.map(body)).size).toBe(200);
    const moved = sealed.map((value, at) => () => encryption.open(value, `ciba:{${at + 1}}`, PLACE));
    for (const open of moved) expect(open).toThrow();
  });

  test('names its key without showing it', () => {
    const sealed = new Encryption([KEY]).seal('{}', 'ciba:{h}', PLACE);
    const name = sealed.split('.')[1];
    const shown = ['base64url', 'hex'] as const;
    for (const form of shown) expect(KEY.toString(form)).not.toContain(name);
    expect(createHash('sha256').update(KEY).digest('base64url')).not.toContain(name);
  });

  test.each([
    ['bytes', KEY],
    ['a Uint8Array', new Uint8Array(KEY)],
    ['base64url', KEY.toString('base64url')],
    ['base64', KEY.toString('base64')],
  ])('is read with a key given as %s', (_, key) => {
    const sealed = new Encryption([KEY]).seal('{}', 'ciba:{h}', PLACE);
    expect(new Encryption([key]).open(sealed, 'ciba:{h}', PLACE)).toBe('{}');
  });
});

describe('a store with encryption', () => {
  const clock = movingClock();
  const opened: RedisStore[] = [];
  let server: TestRedis;
  let client: Redis;
  let prefix: string;
  let reported: Error[];

  beforeAll(async () => {
    server = await startRedis();
    client = server.client();
  });
  beforeEach(() => {
    prefix = randomUUID();
    reported = [];
    clock.reset();
  });
  afterAll(async () => {
    for (const store of opened) await store.close();
    await server.stop();
  });

  function storeWith(keys: Keys | undefined): RedisStore {
    const heard = (cause: unknown) => reported.push(cause as Error);
    const store = new RedisStore(server.client(), prefix, clock.offset, heard, { keys });
    opened.push(store);
    return store;
  }

  const BODY = '{"access_token":"body-secret"}';
  const PAYLOAD = '{"model":{"scope":"openid"}}';
  const full = { callback: CALLBACK, prompted: true, payload: PAYLOAD };

  /** A request in which every text is. */
  async function fullRequest(store: RedisStore, more: Partial<NewRequest> = {}): Promise<NewRequest> {
    const request = await ask(store, { ...full, ...more });
    await store.prompts.advance(request.handle, {
      turn: 1,
      progress: '{"legs":[]}',
      delay: 0,
      operation: 'o',
    });
    await decide(store, request, 'approved');
    expect(await store.outbox.keepBody(request.handle, BODY)).toBe(BODY);
    return request;
  }

  /** Every way in which a text of a request comes out. */
  const readers = (store: RedisStore, { handle }: NewRequest) => ({
    read: () => store.read(handle),
    poll: () => poll(store, handle),
    'find of the outbox': () => store.outbox.find(handle),
    'find of the prompts': () => store.prompts.find(handle),
    keepBody: () => store.outbox.keepBody(handle, 'another body'),
  });

  const requestKey = ({ handle }: NewRequest) => `${prefix}:{${handle}}`;
  const pieces = (all: Record<string, string>, name: string) =>
    Object.keys(all).filter((field) => new RegExp(`^${name}\\d+$`).test(field));

  /** Puts a text of one request where one of another is. */
  async function move(name: string, from: NewRequest, to: NewRequest, as: string = name): Promise<void> {
    const [source, target] = [await client.hgetall(requestKey(from)), await client.hgetall(requestKey(to))];
    await client.hdel(requestKey(to), ...pieces(target, as));
    for (const field of pieces(source, name)) {
      await client.hset(requestKey(to), field.replace(name, as), source[field] ?? '');
    }
  }

  async function moveSecret(name: string, from: NewRequest, to: NewRequest, as: string = name) {
    const moved = await client.hget(`${requestKey(from)}:callback`, name);
    await client.hset(`${requestKey(to)}:callback`, as, moved ?? '');
  }

  async function expectRefused(call: () => Promise<unknown>, why: string): Promise<void> {
    const before = reported.length;
    await expect(call()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(reported.slice(before).map(({ message }) => message)).toEqual([expect.stringContaining(why)]);
    expect(JSON.stringify(reported.map(({ message }) => message))).not.toMatch(/secret|scope/);
  }

  test('every text comes back as it was, whatever its characters and its length', async () => {
    const [writing, reading] = [storeWith([KEY]), storeWith([KEY])];
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 2_000 });
    await fc.assert(
      fc.asyncProperty(text, text, text, text, async (payload, progress, callback, body) => {
        const { handle } = await ask(writing, { payload, callback, prompted: true });
        const turn = { turn: 1, progress, delay: 0, operation: 'o' };
        expect(await writing.prompts.advance(handle, turn)).toBe(true);
        expect(await reading.outbox.keepBody(handle, body)).toBe(body);
        expect(await reading.read(handle)).toMatchObject({ payload });
        expect(await reading.outbox.find(handle)).toMatchObject({ callback, body, request: { payload } });
        expect(await reading.prompts.find(handle)).toMatchObject({ progress, request: { payload } });
      }),
      { numRuns: 60 },
    );
  });

  test('keys are changed one after another: the first writes, all read', async () => {
    const [before, during, after] = [storeWith([KEY]), storeWith([OTHER, KEY]), storeWith([OTHER])];
    const old = await fullRequest(before);
    for (const call of Object.values(readers(during, old))) await call();
    const fresh = await fullRequest(during);
    for (const call of Object.values(readers(after, fresh))) await call();
    expect(await poll(after, fresh.handle)).toMatchObject({ result: 'approved', payload: PAYLOAD });
    expect(reported).toEqual([]);
    for (const call of Object.values(readers(after, old))) {
      await expectRefused(call, 'which is not among the keys');
    }
  });

  test('encryption is switched on, and off again, in a running deployment', async () => {
    const stages: readonly Keys[] = [['plain', KEY], [KEY, 'plain'], [KEY]];
    const none = await fullRequest(storeWith(undefined));
    const requests: NewRequest[] = [];
    for (const [at, keys] of stages.entries()) {
      const store = storeWith(keys);
      // Whoever is a stage before or behind reads what this one writes.
      const neighbours = [stages[at - 1], keys, stages[at + 1]].filter((one) => one !== undefined);
      const request = await fullRequest(store);
      requests.push(request);
      for (const neighbour of neighbours) {
        expect(await poll(storeWith(neighbour), request.handle)).toMatchObject({ payload: PAYLOAD });
      }
    }
    const stored = async (request: NewRequest | undefined) =>
      (await client.hget(requestKey(request as NewRequest), '1'))?.slice(0, 5);
    expect(await Promise.all(requests.map(stored))).toEqual(['{"mod', 'enc1.', 'enc1.']);
    for (const store of [storeWith(['plain', KEY]), storeWith([KEY, 'plain'])]) {
      expect(await poll(store, none.handle)).toMatchObject({ result: 'approved', payload: PAYLOAD });
    }
    await expectRefused(() => poll(storeWith([KEY]), none.handle), 'it is not encrypted');
    expect(await poll(storeWith(undefined), requests[0]?.handle ?? '')).toMatchObject({ payload: PAYLOAD });
  });

  test('what is planted in plain text is refused', async () => {
    const store = storeWith([KEY]);
    const request = await ask(store, full);
    await client.hset(requestKey(request), 'status', 'approved', 'decision1', '{"grantId":"stolen"}');
    await expectRefused(() => poll(store, request.handle), 'it is not encrypted');
    await expectRefused(() => store.outbox.find(request.handle), 'it is not encrypted');
  });

  test('a request that is said to be approved, and was not decided, is refused', async () => {
    const store = storeWith([KEY]);
    const request = await ask(store, full);
    await client.hset(requestKey(request), 'status', 'approved');
    await expectRefused(() => poll(store, request.handle), 'it is missing');
    await expectRefused(() => store.outbox.find(request.handle), 'it is missing');
  });

  test('a no that is made a yes is refused', async () => {
    const store = storeWith([KEY]);
    for (const verdict of ['denied', 'cancelled'] as const) {
      const request = await ask(store, full);
      await decide(store, request, verdict);
      await client.hset(requestKey(request), 'status', 'approved');
      await expectRefused(() => poll(store, request.handle), 'not in its place');
    }
  });

  /** What is done to a record, and by which call it is met. */
  const SWAPS: readonly (readonly [
    what: string,
    swap: (victim: NewRequest, other: NewRequest) => Promise<unknown>,
    meets: keyof ReturnType<typeof readers>,
  ])[] = [
    ['a payload', (victim, other) => move('', other, victim), 'poll'],
    ['a decision', (victim, other) => move('decision', other, victim), 'poll'],
    ['a chain', (victim, other) => move('progress', other, victim), 'find of the prompts'],
    ['a callback', (victim, other) => moveSecret('callback', other, victim), 'find of the outbox'],
    ['a body', (victim, other) => moveSecret('body', other, victim), 'keepBody'],
    [
      'a body of its own as its callback',
      (victim) => moveSecret('body', victim, victim, 'callback'),
      'find of the outbox',
    ],
    ['a chain of its own as its decision', (victim) => move('progress', victim, victim, 'decision'), 'poll'],
    ['another account', (victim) => client.hset(requestKey(victim), 'account', 'mallory'), 'poll'],
    ['another client', (victim) => client.hset(requestKey(victim), 'client', 'mallory'), 'read'],
  ];

  test.each(SWAPS)(
    '%s put into a record by somebody who can write to Redis is refused',
    async (_, swap, meets) => {
      const store = storeWith([KEY]);
      const [victim, other] = [await fullRequest(store), await fullRequest(store)];
      await readers(store, victim)[meets]();
      await swap(victim, other);
      await expectRefused(readers(store, victim)[meets], 'not in its place');
    },
  );

  test.each(SWAPS)('CONTROL: %s put into a record is taken without encryption', async (_, swap, meets) => {
    const store = storeWith(undefined);
    const [victim, other] = [await fullRequest(store), await fullRequest(store)];
    await swap(victim, other);
    await expect(readers(store, victim)[meets]()).resolves.toBeDefined();
    expect(reported).toEqual([]);
  });

  test('a pending poll, and everything else that reads no text, needs no key', async () => {
    const request = await ask(storeWith([KEY]), full);
    const without = storeWith([OTHER]);
    expect(await poll(without, request.handle)).toMatchObject({ result: 'pending' });
    expect(await without.statusOf(request.handle)).toBe('pending');
    expect(await without.outbox.postpone(request.handle, { turn: 1, delay: 0, sent: true, note: '' })).toBe(
      true,
    );
    await without.remove(request.handle);
    expect(await without.statusOf(request.handle)).toBe('gone');
    expect(reported).toEqual([]);
  });

  test('one that cannot be read does not keep the others from being looked at', async () => {
    const store = storeWith([KEY]);
    const [unreadable, fine] = [await ask(storeWith([OTHER]), full), await ask(store, full)];
    clock.advance(20_000);
    const due = [unreadable, fine].map(({ handle }) => ({ handle, turn: 1 }));
    expect(await store.prompts.due(10)).toEqual(expect.arrayContaining(due));
    for (const { handle } of due) await store.outbox.schedule(handle, -1);
    expect(await store.outbox.due(10)).toEqual(expect.arrayContaining(due));
    expect(reported).toEqual([]);
  });

  test('whoever kept the body that was delivered is told so when it asks again, encrypted anew as it is', async () => {
    const store = storeWith([KEY]);
    const request = await fullRequest(store);
    const { handle } = request;
    const kept = await client.hget(`${requestKey(request)}:callback`, 'body');
    expect(await store.outbox.keepBody(handle, BODY)).toBe(BODY);
    expect(await client.hget(`${requestKey(request)}:callback`, 'body')).toBe(kept);
    expect(await store.outbox.keepBody(handle, 'of another process')).toBe(BODY);
    await store.outbox.end(handle, ending('delivered', { becomes: 'delivered' }));
    await store.outbox.leave(handle, { secrets: true });
    expect(await store.outbox.keepBody(handle, BODY)).toBe(BODY);
    expect(await store.outbox.keepBody(handle, 'of another process')).toBeUndefined();
  });

  test('without the option not one byte is stored more or otherwise', async () => {
    const request = await fullRequest(storeWith(undefined));
    const { status, ...held } = await client.hgetall(requestKey(request));
    expect(held).toMatchObject({
      '1': PAYLOAD,
      client: CLIENT,
      account: request.accountId,
      decision1: '{"approved":1}',
      progress1: '{"legs":[]}',
    });
    expect(await client.hgetall(`${requestKey(request)}:callback`)).toEqual({
      callback: CALLBACK,
      body: BODY,
    });
    expect([status, newRequest().payload]).toEqual(['approved', '{}']);
  });
});
