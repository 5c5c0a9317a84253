import { Socket } from 'node:net';
import { jest } from '@jest/globals';
import { RedisStore } from '../../lib/store/redis.js';
import { loadScripts } from '../support/load-scripts.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';

/** Ten commands leave together, and what comes a millisecond after the first takes those before it along. */
const TOGETHER = 10;

let server: TestRedis;
let store: RedisStore;

beforeAll(async () => {
  server = await startRedis();
  store = new RedisStore(
    server.client(),
    'ciba',
    () => 0,
    () => {},
  );
  await loadScripts(server.client());
  await store.read('ready');
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

/** How often something is written to Redis for what is done in one turn; the time stands still, but for what `done` moves. */
async function writesOf(
  done: (later: (milliseconds: number) => void) => readonly Promise<unknown>[],
): Promise<number> {
  let now = performance.now();
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const proto = Socket.prototype as unknown as Record<'_write' | '_writev', (...args: unknown[]) => void>;
  let writes = 0;
  for (const name of ['_write', '_writev'] as const) {
    const write = proto[name];
    jest.spyOn(proto, name).mockImplementation(function (this: Socket, ...args: unknown[]) {
      if (this.remotePort === server.port) writes += 1;
      return write.apply(this, args);
    });
  }
  const answers = done((milliseconds) => {
    now += milliseconds;
  });
  const heard = await Promise.all(answers);
  jest.restoreAllMocks();
  expect(heard).toEqual(answers.map(() => ({ result: 'gone' })));
  return writes;
}

const poll = (alone = false): Promise<unknown> =>
  store.poll({ handle: 'nothing', clientId: 'till', operation: 'one', alone });
const polls = (count: number, alone = false): Promise<unknown>[] =>
  Array.from({ length: count }, () => poll(alone));

describe('what one turn has to say to Redis', () => {
  it('leaves together, ten commands at a time', async () => {
    expect(await writesOf(() => polls(3))).toBe(1);
    expect(await writesOf(() => polls(TOGETHER))).toBe(1);
    expect(await writesOf(() => polls(2 * TOGETHER + 3))).toBe(3);
  });

  it('leaves sooner where the turn is long', async () => {
    const withPauses = (later: (milliseconds: number) => void): Promise<unknown>[] =>
      [0, 2, 0, 2].map((pause) => {
        later(pause);
        return poll();
      });
    expect(await writesOf(withPauses)).toBe(3);
  });

  it('leaves at once where it is sent alone', async () => {
    expect(await writesOf(() => polls(3, true))).toBe(3);
  });

  it('leaves with the others where those are gathered already, and counts as they do', async () => {
    expect(await writesOf(() => [poll(), ...polls(2, true)])).toBe(1);
    expect(await writesOf(() => [poll(), ...polls(2 * TOGETHER, true)])).toBe(3);
  });
});
