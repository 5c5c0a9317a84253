import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jest } from '@jest/globals';
import { RedisStore } from '../../lib/store/redis.js';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { PlainStore } from '../support/plain-adapter.js';
import { startCluster, startRedis } from '../support/redis-server.js';
import {
  asked,
  basic,
  CIBA_GRANT,
  type PluginServer,
  type PluginServerOptions,
  pluginServer,
} from '../support/server.js';
import { until } from '../support/until.js';

interface Answer {
  readonly status: number;
  readonly error: string | undefined;
  readonly retryAfter: string | null;
  readonly token: string | undefined;
}

const https: HttpServer[] = [];
const servers: PluginServer[] = [];
const stores: { stop(): Promise<void> }[] = [];

async function started<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const store = await starting;
  stores.push(store);
  return store;
}

afterEach(async () => {
  for (const http of https.splice(0)) http.close().closeAllConnections();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await Promise.all(stores.splice(0).map((store) => store.stop()));
});

/** Polls of one server over real connections. */
class Poller {
  readonly server: PluginServer;
  readonly #url: string;

  private constructor(server: PluginServer, url: string) {
    this.server = server;
    this.#url = url;
  }

  static async of(server: PluginServer): Promise<Poller> {
    const http = createServer(server.ciba.accelerate(server.app)).listen(0, '127.0.0.1');
    https.push(http);
    await once(http, 'listening');
    return new Poller(server, `http://127.0.0.1:${(http.address() as AddressInfo).port}/token`);
  }

  async poll(
    id: string,
    prefer?: string,
    sending: { client?: string; signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const { client = 'till', signal } = sending;
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { authorization: basic(client), ...(prefer && { prefer }) },
      body: new URLSearchParams({ grant_type: CIBA_GRANT, auth_req_id: id }),
      ...(signal && { signal }),
    });
    const { error, access_token: token } = (await response.json()) as Record<string, string>;
    return { status: response.status, error, retryAfter: response.headers.get('retry-after'), token };
  }

  /** Begins to poll, and waits until that is held. */
  async held(
    id: string,
    prefer?: string,
    sending: { client?: string; signal?: AbortSignal } = {},
  ): Promise<{ readonly answer: Promise<Answer> }> {
    const before = this.heldSoFar();
    const answer = this.poll(id, prefer, sending);
    answer.catch(() => {});
    await until('the poll is held', async () => this.heldSoFar() > before);
    return { answer };
  }

  heldSoFar(): number {
    return this.server.heard.filter((name) => name === 'poll.held').length;
  }
}

const ROADS = [
  ['down the whole road', 0],
  ['at the gate', 60],
] as const;

onEveryStore('long polling', (make) => {
  describe.each(ROADS)('%s', (_title, rememberCredentials) => {
    /** A server whose poller is known to the gate where there is one. */
    const start = async (options: PluginServerOptions = {}): Promise<Poller> => {
      const ciba = { longPolling: {}, rememberCredentials, ...options.ciba };
      const poller = await Poller.of(make({ ...options, ciba }));
      const id = await asked(poller.server, { login_hint: 'bob' });
      await poller.poll(id, 'wait=0');
      return poller;
    };

    it('holds a poll until the person has decided [POLL-6]', async () => {
      const poller = await start();
      const id = await asked(poller.server);
      const { answer } = await poller.held(id, 'wait=30');
      await poller.server.approve(id);
      expect(await answer).toMatchObject({ status: 200, token: expect.any(String) });
      expect(poller.server.heard).not.toContain('poll.expired');
      expect(await poller.poll(id)).toMatchObject({ error: 'invalid_grant' });
    });

    it('tells of a denial and of a withdrawal at once', async () => {
      const poller = await start();
      const { server } = poller;
      const [denied, cancelled] = [await asked(server), await asked(server)];
      const first = await poller.held(denied, 'wait=30');
      const second = await poller.held(cancelled, 'wait=30');
      await server.deny(denied);
      await server.ciba.requests.cancel(server.ciba.requests.handleOf(cancelled));
      expect(await first.answer).toMatchObject({ error: 'access_denied' });
      expect(await second.answer).toMatchObject({ error: 'access_denied' });
    });

    it('answers after the time that was asked for, and the time held counts as the interval [POLL-6, POLL-7, POLL-8]', async () => {
      const poller = await start({ ciba: { interval: 1 } });
      const id = await asked(poller.server);
      const { answer } = await poller.held(id, 'respond-async, wait=1');
      expect(await answer).toMatchObject({ error: 'authorization_pending', retryAfter: '0' });
      expect(await poller.poll(id)).toMatchObject({ error: 'authorization_pending' });
    });

    it('leaves a client that was held for less the rest of its interval [POLL-8]', async () => {
      const poller = await start();
      const id = await asked(poller.server);
      const { answer } = await poller.held(id, 'wait=1');
      expect(await answer).toMatchObject({ error: 'authorization_pending', retryAfter: '4' });
      expect(await poller.poll(id)).toMatchObject({ error: 'slow_down' });
    });

    it('never holds beyond the end of the request [POLL-6]', async () => {
      const poller = await start();
      const id = await asked(poller.server);
      poller.server.advance(299);
      const { answer } = await poller.held(id, 'wait=30');
      expect(await answer).toMatchObject({ error: 'expired_token' });
    });

    it('holds no poll that comes too early', async () => {
      const poller = await start();
      const id = await asked(poller.server);
      await poller.poll(id);
      expect(await poller.poll(id, 'wait=30')).toMatchObject({ error: 'slow_down' });
      expect(poller.heldSoFar()).toBe(0);
    });

    it('gives tokens to one of two that are held for one id [POLL-9]', async () => {
      const poller = await start();
      const id = await asked(poller.server);
      const first = await poller.held(id, 'wait=30');
      poller.server.advance(6);
      const second = await poller.held(id, 'wait=30');
      await poller.server.approve(id);
      const answers = await Promise.all([first.answer, second.answer]);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const [loser] = answers.filter(({ status }) => status !== 200);
      expect(['slow_down', 'invalid_grant']).toContain(loser?.error);
    });

    it('holds a bounded number, and answers one more as any other poll', async () => {
      const poller = await start({ ciba: { longPolling: { held: 1 } } });
      const [one, two] = [await asked(poller.server), await asked(poller.server)];
      const { answer } = await poller.held(one, 'wait=30');
      expect(await poller.poll(two, 'wait=30')).toMatchObject({
        error: 'authorization_pending',
        retryAfter: '5',
      });
      await poller.server.approve(one);
      expect(await answer).toMatchObject({ status: 200 });
    });

    it('has the place of a client that has gone for another, and loses nothing', async () => {
      const poller = await start({ ciba: { longPolling: { held: 1 } } });
      const [one, two] = [await asked(poller.server), await asked(poller.server)];
      const leaving = new AbortController();
      const { answer } = await poller.held(one, 'wait=30', { signal: leaving.signal });
      leaving.abort();
      await expect(answer).rejects.toThrow();
      const { answer: next } = await untilHeld(poller, two);
      await poller.server.approve(one);
      poller.server.advance(6);
      expect(await poller.poll(one)).toMatchObject({ status: 200 });
      await poller.server.approve(two);
      expect(await next).toMatchObject({ status: 200 });
    });

    it('lets all go when the process ends, and holds none after that', async () => {
      const poller = await start();
      const id = await asked(poller.server);
      const { answer } = await poller.held(id, 'wait=30');
      await Promise.all([poller.server.ciba.close(), answer]);
      expect(await answer).toMatchObject({ error: 'authorization_pending' });
    });
  });

  it('holds a client’s polls as long as its metadata says, or the server', async () => {
    const clients = [pollClient('till'), pollClient('waiting', { ciba_long_polling: 1 })];
    const poller = await Poller.of(make({ ciba: { longPolling: {}, interval: 1 }, config: { clients } }));
    const id = await asked(poller.server, {}, { client: 'waiting' });
    for (let polls = 0; polls < 2; polls += 1) {
      const { answer } = await poller.held(id, undefined, { client: 'waiting' });
      expect(await answer).toMatchObject({ error: 'authorization_pending', retryAfter: '0' });
    }
    const other = await asked(poller.server);
    expect(await poller.poll(other)).toMatchObject({ error: 'authorization_pending', retryAfter: '1' });
    expect(poller.heldSoFar()).toBe(2);

    const everybody = await Poller.of(make({ ciba: { longPolling: { wait: 1 } } }));
    const third = await asked(everybody.server);
    expect(await (await everybody.held(third)).answer).toMatchObject({ retryAfter: '4' });
  });

  it('is not there unless the option says so', async () => {
    const clients = [pollClient('waiting', { ciba_long_polling: 30 })];
    const poller = await Poller.of(make({ config: { clients } }));
    const id = await asked(poller.server, {}, { client: 'waiting' });
    expect(await poller.poll(id, 'wait=30', { client: 'waiting' })).toMatchObject({ retryAfter: '5' });
    expect(poller.heldSoFar()).toBe(0);
  });

  it.each(['wait', 'wait=', 'wait=-1', 'wait=x', 'await=5', 'wait=5s', 'handling=lenient', 'wait=0'])(
    'takes `Prefer: %s` for no wish to wait',
    async (prefer) => {
      const poller = await Poller.of(make({ ciba: { longPolling: {} } }));
      const id = await asked(poller.server);
      expect(await poller.poll(id, prefer)).toMatchObject({
        error: 'authorization_pending',
        retryAfter: '5',
      });
      expect(poller.heldSoFar()).toBe(0);
    },
  );

  it.each([-1, 31, 1.5, '5'])('refuses a client whose ciba_long_polling is %p', async (value) => {
    const clients = [pollClient('waiting', { ciba_long_polling: value })];
    const { server } = await Poller.of(make({ ciba: { longPolling: {} }, config: { clients } }));
    await expect(server.provider.Client.find('waiting')).rejects.toThrow('invalid_client_metadata');
  });
});

/** Polls until it is held: a place that was left is free a moment later. */
async function untilHeld(poller: Poller, id: string): Promise<{ readonly answer: Promise<Answer> }> {
  const before = poller.heldSoFar();
  let last: Promise<Answer> | undefined;
  await until('there is a place', async () => {
    poller.server.advance(20);
    last = poller.poll(id, 'wait=30');
    await Promise.race([
      last,
      until('it is held', async () => poller.heldSoFar() > before, 1_000).catch(() => {}),
    ]);
    return poller.heldSoFar() > before;
  });
  return { answer: last as Promise<Answer> };
}

/** Two nodes that share one Redis, of which the first holds the polls. */
async function nodes(
  redis: PluginServerOptions['redis'],
  other: PluginServerOptions['ciba'] = { longPolling: {} },
): Promise<{ readonly poller: Poller; readonly decider: PluginServer }> {
  const prefix = `spec:${randomUUID()}`;
  const config = { adapter: new PlainStore(() => Date.now()).adapter };
  const holding = pluginServer({ redis, config, ciba: { prefix, longPolling: {}, limits: false } });
  const decider = pluginServer({ redis, config, ciba: { prefix, limits: false, ...other } });
  servers.push(holding, decider);
  return { poller: await Poller.of(holding), decider };
}

/** What became of each request; whoever was told to come again does so once. */
async function outcomes(
  poller: Poller,
  ids: readonly string[],
  answers: readonly Answer[],
): Promise<string[]> {
  poller.server.advance(6);
  return Promise.all(
    answers.map(async ({ error = 'tokens' }, index) => {
      if (error !== 'authorization_pending' && error !== 'temporarily_unavailable') return error;
      return (await poller.poll(ids[index] ?? '')).error ?? 'tokens';
    }),
  );
}

const pubsub = /cmd=(?:s?subscribe)/;

describe('long polling over Redis', () => {
  /** How often a request was looked at of which no news had come. */
  let looks: jest.SpiedFunction<RedisStore['statusOf']>;

  beforeEach(() => {
    looks = jest.spyOn(RedisStore.prototype, 'statusOf');
  });
  afterEach(() => looks.mockRestore());

  it('is answered at once by a decision on another node', async () => {
    const redis = await started(startRedis());
    const { poller, decider } = await nodes(redis.client());
    const id = await asked(poller.server);
    const { answer } = await poller.held(id, 'wait=30');
    // A second poll that is held needs no second connection.
    await poller.held(await asked(poller.server), 'wait=30');
    const clients = String(await redis.client().client('LIST'));
    expect(clients.split('\n').filter((line) => pubsub.test(line))).toHaveLength(1);
    await decider.approve(id);
    expect(await answer).toMatchObject({ status: 200 });
    expect(looks).not.toHaveBeenCalled();
  });

  it.each([
    ['a client as it is', {}],
    ['a client without an offline queue', { enableOfflineQueue: false }],
  ])('is answered on a cluster, over a sharded channel, made from %s', async (_title, options) => {
    const cluster = await started(startCluster());
    const { poller, decider } = await nodes(cluster.client(options));
    const id = await asked(poller.server);
    const { answer } = await poller.held(id, 'wait=30');
    await decider.approve(id);
    expect(await answer).toMatchObject({ status: 200 });
    expect(looks).not.toHaveBeenCalled();
  });

  it('says of no decision that the store is away, where its news may not be told', async () => {
    const redis = await started(startRedis());
    await redis
      .client()
      .call('ACL', 'SETUSER', 'quiet', 'on', '>quiet', 'allcommands', 'allkeys', 'resetchannels');
    const { poller, decider } = await nodes(redis.client({ username: 'quiet', password: 'quiet' }));
    const id = await asked(poller.server);
    const { answer } = await poller.held(id, 'wait=30');
    await decider.approve(id);
    expect(await answer).toMatchObject({ status: 200 });
    expect(decider.heard).not.toContain('store.unavailable');
  });

  it('finds a decision of which no news came', async () => {
    const redis = await started(startRedis());
    // A process without the option tells nobody.
    const { poller, decider } = await nodes(redis.client(), {});
    const id = await asked(poller.server);
    const { answer } = await poller.held(id, 'wait=30');
    await decider.approve(id);
    expect(await answer).toMatchObject({ status: 200 });
    expect(looks).toHaveBeenCalled();
  });

  it('finds what was decided while its connection was lost', async () => {
    const redis = await started(startRedis());
    const { poller, decider } = await nodes(redis.client());
    const ids = await Promise.all(Array.from({ length: 20 }, () => asked(poller.server)));
    const held = [];
    for (const id of ids) held.push(await poller.held(id, 'wait=30'));
    for (const [index, id] of ids.entries()) {
      if (index % 5 === 0) await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await decider.approve(id);
    }
    const answers = await Promise.all(held.map(({ answer }) => answer));
    expect(await outcomes(poller, ids, answers)).toEqual(ids.map(() => 'tokens'));
  });

  it('loses nobody of 1000 while Redis is restarted', async () => {
    const redis = await started(startRedis({ durable: true }));
    const { poller, decider } = await nodes(redis.client());
    const ids: string[] = [];
    while (ids.length < 1_000) {
      ids.push(...(await Promise.all(Array.from({ length: 20 }, () => asked(poller.server)))));
    }
    const answers = ids.map((id) => poller.poll(id, 'wait=30'));
    await until('all are held', async () => poller.heldSoFar() === 1_000, 90_000);
    await redis.kill();
    await redis.restart();
    await until(
      'the store is back',
      async () => (await decider.ciba.requests.list('alice').catch(() => [])).length > 0,
    );
    for (const [index, id] of ids.entries()) {
      await until('it is decided', () =>
        (index % 2 === 0 ? decider.approve(id) : decider.deny(id)).then(
          () => true,
          () => false,
        ),
      );
    }
    const told = await outcomes(poller, ids, await Promise.all(answers));
    expect(told).toEqual(ids.map((_, index) => (index % 2 === 0 ? 'tokens' : 'access_denied')));
  }, 240_000);
});
