import { randomBytes } from 'node:crypto';
import { jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { ClientMetadata } from 'oidc-provider';
import type { RedisClient } from 'oidc-provider-ciba';
import { commandsIn, commandsRun, documentedRules, forgetCommands, makeUser } from '../support/acl.js';
import { codeClient, pollClient } from '../support/configuration.js';
import { hang, type Receiver, startReceiver, status } from '../support/receiver.js';
import { startCluster, startRedis, type TestRedis } from '../support/redis-server.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import { rounds } from '../support/rounds.js';
import { ask, asked, introspect, type PluginServer, pluginServer, poll, post } from '../support/server.js';
import { until } from '../support/until.js';

const rules = documentedRules();
const polling = rules.poll;
const telling = [...polling, ...rules.telling];
const holding = [...polling, ...rules['long polling']];

const open = new Set<PluginServer>();
let redis: TestRedis;
let admin: Redis;
/** Where each server tells its clients. */
const receivers = new Map<PluginServer, Receiver>();

beforeEach(async () => {
  redis = await startRedis();
  admin = redis.client();
  await admin.acl('SETUSER', 'admin', 'on', 'nopass', '+@all', '~*', '&*');
  await admin.auth('admin', 'any');
  await admin.acl('SETUSER', 'default', 'off');
});
afterEach(async () => {
  await Promise.all([...open].map(close));
  await redis.stop();
});

/** A server that is nobody else in Redis than this user. */
async function serverAs(
  name: string,
  given: readonly string[],
  { modes = ['poll'], longPolling = false }: { modes?: readonly string[]; longPolling?: boolean } = {},
): Promise<PluginServer> {
  await makeUser(admin, name, given);
  return serverOn(redis.client({ username: name, password: name }), name, modes, longPolling);
}

async function serverOn(
  client: RedisClient,
  prefix: string,
  modes: readonly string[],
  longPolling: boolean,
): Promise<PluginServer> {
  const receiver = await startReceiver();
  const told = (id: string, mode: string): ClientMetadata =>
    pollClient(id, {
      backchannel_token_delivery_mode: mode as 'ping',
      backchannel_client_notification_endpoint: receiver.url,
    });
  const more = modes.length > 1 ? [told('pinged', 'ping'), told('pushed', 'push')] : [];
  const server = pluginServer({
    redis: client,
    config: { clients: [pollClient('till'), codeClient, ...more] },
    hooks: { deliveryModes: modes as never },
    ciba: {
      prefix,
      replayGrace: 30,
      rememberCredentials: 0,
      limits: { pendingPerAccountAndClient: 2, refusals: 2 },
      channels: [{ name: 'inbox', send: async () => {}, dismiss: async () => {} }],
      delivery: { allowLoopback: true, notifyExpiry: true },
      ...(longPolling && { longPolling: {} }),
    },
  });
  open.add(server);
  receivers.set(server, receiver);
  return server;
}

const refusals = (server: PluginServer): string[] =>
  server.events
    .filter(({ name }) => name === 'store.unavailable')
    .map(({ event }) => String((event as { cause: Error }).cause))
    .filter((message) => /NOPERM|no permissions|can't run/.test(message));

/** Waits, but not for what cannot come because Redis has refused something. */
const wait = (
  server: PluginServer,
  what: string,
  condition: () => Promise<boolean> | boolean,
  within?: number,
): Promise<void> => until(what, () => refusals(server).length > 0 || condition(), within);

async function close(server: PluginServer): Promise<void> {
  open.delete(server);
  await server.close();
  await receivers.get(server)?.close();
}

const handleOf = (server: PluginServer, id: string): string => server.ciba.requests.handleOf(id);
const errorOf = async (answer: Promise<{ body: { error?: string } }>) => (await answer).body.error;

/** All that a server does whose clients poll. */
async function pollFlows(server: PluginServer): Promise<void> {
  const { requests } = server.ciba;
  await wait(server, 'Redis is reached', () => requests.list('nobody').then(() => true));
  const id = await asked(server);
  await wait(server, 'the person is prompted', () => server.heard.includes('prompt.sent'));
  expect(await requests.list('alice')).toHaveLength(1);
  expect(await errorOf(poll(server, id))).toBe('authorization_pending');
  expect(await errorOf(poll(server, id))).toBe('slow_down');
  server.advance(10);
  expect(await errorOf(poll(server, id))).toBe('authorization_pending');
  await server.approve(id);
  const { body: tokens } = await poll(server, id);
  expect(await introspect(server, tokens.access_token)).toMatchObject({ active: true });
  expect((await poll(server, id)).body).toEqual(tokens);
  await post(server, '/token/revocation', { token: tokens.access_token });
  expect(await introspect(server, tokens.access_token)).toEqual({ active: false });
  await wait(server, 'the prompt is taken away', () => server.heard.includes('prompt.dismissed'));

  // Refused after the claim, which is given back.
  const again = await asked(server);
  await server.approve(again);
  const narrowed = await poll(server, again, { resource: 'https://unknown.example' });
  expect(narrowed.status === 200 || narrowed.body.error === 'invalid_target').toBe(true);

  const [denied, withdrawn] = [await asked(server), await asked(server)];
  expect(await errorOf(ask(server))).toBe('access_denied');
  await server.deny(denied);
  expect(await errorOf(poll(server, denied))).toBe('access_denied');
  await requests.cancel(handleOf(server, withdrawn), { byClient: true });
  expect(await errorOf(ask(server))).toBe('access_denied');
  await requests.unblock('alice', 'till');
  const reported = await asked(server);
  await requests.report(handleOf(server, reported), { accountId: 'alice' });
  expect(await errorOf(ask(server))).toBe('access_denied');
  await requests.unblock('alice', 'till');

  const coder = { client: 'coder' };
  expect(await errorOf(ask(server, { user_code: '0000' }, coder))).toBe('invalid_user_code');
  await asked(server, { user_code: '1234' }, coder);
  const expiring = await asked(server, { login_hint: 'bob' });
  server.advance(301);
  expect(await errorOf(poll(server, expiring))).toBe('expired_token');
}

/** All that is done to tell clients, a job included whose worker is gone. */
async function tellFlows(server: PluginServer, prefix: string): Promise<void> {
  const { deliveries } = server.ciba;
  const receiver = receivers.get(server) as Receiver;
  const askAs = (client: string): Promise<string> =>
    asked(server, { client_notification_token: randomBytes(24).toString('base64url') }, { client });
  const reaches = (id: string, state: string, attempts: number): Promise<void> =>
    wait(server, `${state} after ${attempts}`, async () => {
      const view = await deliveries.get(handleOf(server, id));
      return view?.state === state && view.attempts === attempts;
    });
  receiver.answer(status(503, { 'retry-after': '60' }), status(204));
  const pinged = await askAs('pinged');
  await server.approve(pinged);
  await reaches(pinged, 'waiting', 1);
  await deliveries.retry(handleOf(server, pinged));
  await reaches(pinged, 'delivered', 2);

  receiver.answer(status(401));
  const pushed = await askAs('pushed');
  await server.approve(pushed);
  await reaches(pushed, 'failed', 1);
  await wait(server, 'it is listed', async () => (await deliveries.list({ state: 'failed' })).length === 1);
  const pingFailed = await askAs('pinged');
  await server.approve(pingFailed);
  await reaches(pingFailed, 'failed', 1);
  receiver.answer(status(204));
  await deliveries.retry(handleOf(server, pingFailed));
  await reaches(pingFailed, 'delivered', 2);

  receiver.answer(hang(), status(204));
  const stalled = await askAs('pinged');
  await server.approve(stalled);
  const told = (): number => receiver.received.filter(({ body }) => body.includes(stalled)).length;
  await wait(server, 'it is under way', () => told() === 1);
  await admin.del(`{${prefix}}:deliveries:${handleOf(server, stalled)}.1:lock`);
  await wait(server, 'it was begun anew', () => told() === 2);
  // The attempt that hangs counts where it has ended before the other one has begun.
  await wait(server, 'it is delivered', async () => {
    return (await deliveries.get(handleOf(server, stalled)))?.state === 'delivered';
  });

  // A turn that meets a fault is a job that fails, and is done again a second later.
  receiver.answer(status(204));
  const faulty = await askAs('pinged');
  const { find } = server.provider.Client;
  server.provider.Client.find = async () => {
    server.provider.Client.find = find;
    throw new Error('the adapter is away');
  };
  await server.approve(faulty);
  await reaches(faulty, 'delivered', 1);
  expect(server.heard.includes('delivery.error') || refusals(server).length > 0).toBe(true);
}

/** A poll that is held, and woken by the news of the decision: `news` says that somebody listens, and that it was told. */
async function holdFlows(
  server: PluginServer,
  news: { listenedTo(): Promise<boolean>; told(handle: string): Promise<boolean> },
  within?: number,
): Promise<void> {
  const id = await asked(server, { login_hint: 'bob' });
  const answer = poll(server, id, {}, { headers: { prefer: 'wait=30' } }).then(({ status }) => status);
  await wait(server, 'it is held', () => server.heard.includes('poll.held'));
  await wait(server, 'the news is listened to', news.listenedTo, within);
  await server.approve(id);
  expect(await answer).toBe(200);
  await wait(server, 'the news was told', () => news.told(handleOf(server, id)), within);
}

/** The news of a single server, heard by somebody beside it. */
async function newsOf(prefix: string) {
  const channel = `${prefix}:decided`;
  const listener = redis.client({ username: 'admin', password: 'any' });
  const heard: string[] = [];
  listener.on('message', (_channel, handle) => heard.push(handle));
  await listener.subscribe(channel);
  return {
    listenedTo: async () => ((await admin.pubsub('NUMSUB', channel)) as [string, number])[1] === 2,
    told: async (handle: string) => heard.includes(handle),
  };
}

const sorted = (...lists: readonly (readonly string[])[]): string[] => lists.flatMap(commandsIn).sort();

/** Those that take long are all tried in the long form. */
const LONG = rounds(0, 1) === 1;

const MODES = { modes: ['poll', 'ping', 'push'] };

describe('the user of the document', () => {
  test('has exactly the commands that a server runs whose clients poll', async () => {
    const server = await serverAs('ciba', polling);
    await forgetCommands(admin);
    await pollFlows(server);
    expect(await commandsRun(admin)).toEqual(sorted(polling));
    expect(refusals(server)).toEqual([]);
  });

  test('has exactly those that are run to tell clients as well', async () => {
    await makeUser(admin, 'ciba', telling);
    await forgetCommands(admin);
    const server = await serverOn(
      redis.client({ username: 'ciba', password: 'ciba' }),
      'ciba',
      MODES.modes,
      false,
    );
    await pollFlows(server);
    await tellFlows(server, 'ciba');
    await close(server);
    expect(await commandsRun(admin)).toEqual(sorted(telling));
    expect(refusals(server)).toEqual([]);
  });

  test('has exactly those that held polls need as well', async () => {
    const news = await newsOf('ciba');
    const server = await serverAs('ciba', holding, { longPolling: true });
    await forgetCommands(admin);
    await pollFlows(server);
    await holdFlows(server, news);
    const run = await commandsRun(admin);
    expect(run.filter((name) => name !== 'pubsub|numsub')).toEqual(sorted(holding));
    expect(refusals(server)).toEqual([]);
  });

  test('has exactly those that a cluster needs', async () => {
    const cluster = await startCluster();
    try {
      const nodes = cluster.nodes.map((node) => node.client());
      const all = [...telling, ...rules.cluster];
      for (const node of nodes) {
        await makeUser(node, 'ciba', all);
        await forgetCommands(node);
      }
      const client = cluster.client({ redisOptions: { username: 'ciba', password: 'ciba' } });
      const server = await serverOn(client, 'ciba', MODES.modes, true);
      await pollFlows(server);
      const ran = async (command: string) =>
        (await Promise.all(nodes.map(commandsRun))).flat().includes(command);
      await holdFlows(server, { listenedTo: () => ran('ssubscribe'), told: () => ran('spublish') });
      const run = new Set((await Promise.all(nodes.map(commandsRun))).flat());
      expect([...run].filter((name) => !commandsIn(telling).includes(name)).sort()).toEqual(
        sorted(rules.cluster),
      );
      expect(refusals(server)).toEqual([]);
      await close(server);
    } finally {
      await cluster.stop();
    }
  });

  /** What fails, or is said to fail, where one rule is taken away. */
  async function suffersWithout(
    rule: string,
    given: readonly string[],
    flows: (server: PluginServer, prefix: string) => Promise<void>,
    how: Parameters<typeof serverAs>[2] = {},
  ): Promise<string[]> {
    const name = `without${rule.replace(/\W/g, '')}`;
    const warned = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const server = await serverAs(
      name,
      given.filter((other) => other !== rule),
      how,
    );
    const failed = await flows(server, name).then(
      () => [],
      (error: unknown) => [String(error)],
    );
    await close(server);
    // Without INFO ioredis does not see whether Redis is still loading, and says so.
    const noInfo =
      rule === '+info' && warned.mock.calls.some(([text]) => /INFO command fails/.test(String(text)));
    return [...failed, ...refusals(server), ...(noInfo ? ['ioredis does without INFO'] : [])];
  }

  /** Those of the rules that nothing suffers from: some at a time, each a user and a prefix of its own. */
  async function idle(
    taken: readonly string[],
    suffers: (rule: string) => Promise<string[]>,
  ): Promise<string[]> {
    const idle: string[] = [];
    const rest = [...taken];
    const one = async (): Promise<void> => {
      for (let rule = rest.shift(); rule !== undefined; rule = rest.shift()) {
        if ((await suffers(rule)).length === 0) idle.push(rule);
      }
    };
    await Promise.all(Array.from({ length: 8 }, one));
    return idle;
  }

  // What Redis has read once, nobody has to send again.
  const firstEval = (taken: readonly string[]) => taken.filter((rule) => rule !== '+eval');
  const rights = (given: readonly string[]) => given.filter((rule) => /^[+~&]/.test(rule));

  test('has no right that a server with polling clients could do without', async () => {
    expect(await suffersWithout('+eval', polling, pollFlows)).not.toEqual([]);
    expect(
      await idle(firstEval(rights(polling)), (rule) => suffersWithout(rule, polling, pollFlows)),
    ).toEqual([]);
    expect(await suffersWithout('+none', polling, pollFlows)).toEqual([]);
  }, 120_000);

  test('has no right that telling clients could do without', async () => {
    const without = (rule: string) => suffersWithout(rule, telling, tellFlows, MODES);
    const few = ['~{ciba}:*', '+exists', '+bzpopmin'];
    expect(await idle(LONG ? rights(rules.telling) : few, without)).toEqual([]);
    expect(await without('+none')).toEqual([]);
  }, 240_000);

  test('has no right that held polls could do without', async () => {
    // News that is not told is the one thing that nobody hears of: polls are then looked at from time to time.
    const hold = (within?: number) => async (server: PluginServer, prefix: string) =>
      holdFlows(server, await newsOf(prefix), within);
    const without = (rule: string, within?: number) =>
      suffersWithout(rule, holding, hold(within), { longPolling: true });
    expect(await idle(rights(rules['long polling']), (rule) => without(rule, 4_000))).toEqual([]);
    expect(await without('+none')).toEqual([]);
  }, 120_000);

  test('reaches nothing else of what is in Redis', async () => {
    await makeUser(admin, 'ciba', [...telling, ...rules['long polling']]);
    await admin.set('session:1', 'secret');
    const user = redis.client({ username: 'ciba', password: 'ciba' });
    for (const attempt of [
      () => user.get('session:1'),
      () => user.del('session:1'),
      () => user.keys('*'),
      () => user.config('GET', '*'),
      () => user.flushall(),
      () => user.publish('other', 'x'),
      () => user.eval("return redis.call('GET', KEYS[1])", 1, 'session:1'),
    ]) {
      await expect(attempt()).rejects.toThrow(/NOPERM|can't|No permissions/i);
    }
    expect(await admin.get('session:1')).toBe('secret');
  });
});

describe('a user without a command that is needed', () => {
  test.each(['evalsha', 'time'])('leads to 503 and an event, and Redis says which: %s', async (command) => {
    const server = await serverAs('ciba', [...polling, `-${command}`]);
    for (const answer of [await ask(server), await poll(server, 'x'.repeat(43))]) {
      expect({ status: answer.status, error: answer.body.error }).toEqual({
        status: 503,
        error: 'temporarily_unavailable',
      });
      expect(answer.headers['retry-after']).toBe('5');
      expectErrorEnvelope(answer);
    }
    expect(server.heard).toContain('store.unavailable');
    expect(refusals(server).length).toBeGreaterThan(1);
    expect(((await admin.acl('LOG')) as unknown[]).flat()).toContain(command);
    // Nothing crashed: once the right is given, the same server works.
    await admin.acl('SETUSER', 'ciba', `+${command}`);
    const id = await asked(server);
    await server.approve(id);
    expect((await poll(server, id)).status).toBe(200);
  });

  test.each(['bzpopmin', 'xadd'])(
    'of the queue leads to an event, whoever decides goes on, and what is due is told later: %s',
    async (command) => {
      const server = await serverAs('ciba', [...telling, `-${command}`], MODES);
      const receiver = receivers.get(server) as Receiver;
      await until('it is said', async () => {
        if (refusals(server).length > 0) return true;
        const id = await asked(server, { client_notification_token: 'x'.repeat(32) }, { client: 'pinged' });
        await server.approve(id);
        return false;
      });
      const id = await asked(
        server,
        { client_notification_token: 'y'.repeat(32), login_hint: 'bob' },
        { client: 'pinged' },
      );
      await server.approve(id);
      expect(receiver.received).toHaveLength(0);
      await admin.acl('SETUSER', 'ciba', `+${command}`);
      // What was refused half-way left half a job.
      await admin.del(...(await admin.keys('{ciba}:deliveries:*')), 'none');
      server.advance(11);
      const handle = handleOf(server, id);
      await until(
        'it is told',
        async () => (await server.ciba.deliveries.get(handle))?.state === 'delivered',
      );
    },
  );
});
