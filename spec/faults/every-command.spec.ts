import { createHash } from 'node:crypto';
import { scripts } from '../../lib/store/scripts.js';
import { pollClient } from '../support/configuration.js';
import { type CommandFilter, type CutProxy, type Fault, startCutProxy } from '../support/cut-proxy.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import { startApart, startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { CIBA_GRANT, introspect, type PluginServer, pluginServer, post } from '../support/server.js';
import { until } from '../support/until.js';
import { answered, asks, decides, errorOf, type Flow, polls, type Run } from './flow.js';

/** Longer than a command is waited for, and shorter than its connection is given up: what was told unknown is done yet. */
const LATE = 1_300;

const FAULTS: Readonly<Record<string, Fault>> = {
  'whose line breaks before it is sent': 'unsent',
  'whose reply is lost': 'unheard',
  'that is done when nobody waits for it any more': { sentAfter: LATE },
  'whose reply comes too late': { heardAfter: LATE },
};

const isLong = process.env['LONG'] === '1';

/** In the short form the others are done with one fault: the command is executed, and nobody hears of it. */
const FULL: ReadonlySet<string> = new Set(['an approval']);

/** How many runs are under way at a time: most of them wait. */
const AT_A_TIME = 6;

/** How often every flow is done anew. */
const ROUNDS = rounds(1, 8);

let redis: TestRedis;
/** Of a cluster: there a request is asked for and decided in several steps. */
let apart: TestRedis;
let receiver: Receiver;

beforeAll(async () => {
  redis = await startRedis();
  apart = await startApart();
  receiver = await startReceiver();
});
afterAll(async () => {
  await receiver.close();
  await redis.stop();
  await apart.stop();
});

async function redeems(run: Run, id: string, client = 'till'): Promise<void> {
  const answer = await polls(run, id, client);
  expect(errorOf(answer)).toBe(200);
  expect(errorOf(await polls(run, id, client, true))).toBe('invalid_grant');
  expect((await introspect(run.server, answer.body.access_token)).active).toBe(true);
  // What was issued beside it, and did not leave, is gone.
  await until('one token is left', () => run.server.store.count('AccessToken') === run.tokens + 1);
}

const approval: Flow = async (run) => {
  const id = await asks(run);
  expect(errorOf(await polls(run, id))).toBe('authorization_pending');
  await decides(run, () => run.server.approve(id), 'approved');
  await redeems(run, id);
};

const IN_STEPS = 'an approval in steps';

const FLOWS: Readonly<Record<string, Flow>> = {
  'an approval': approval,
  [IN_STEPS]: approval,
  async 'a denial'(run) {
    const id = await asks(run);
    await decides(run, () => run.server.deny(id), 'denied');
    for (let told = 0; told < 2; told += 1) expect(errorOf(await polls(run, id))).toBe('access_denied');
  },
  async 'a withdrawal by the client'(run) {
    const id = await asks(run);
    const form = { grant_type: CIBA_GRANT, auth_req_id: id };
    const answer = await answered(run, () => post(run.server, '/backchannel/cancel', form));
    // Where it took effect unheard, the next one is told what stands.
    if (run.faults === 0) expect(answer.status).toBe(204);
    else expect([204, 400]).toContain(answer.status);
    expect(errorOf(await polls(run, id))).toBe('access_denied');
  },
  async 'a ping'(run) {
    const id = await asks(run, 'pinged');
    await decides(run, () => run.server.approve(id), 'approved');
    const told = (): string[] =>
      receiver.received.map(({ body }) => body).filter((body) => body.includes(id));
    await until('the client is told', () => told().length > 0, 30_000);
    expect(new Set(told())).toEqual(new Set([JSON.stringify({ auth_req_id: id })]));
    await redeems(run, id, 'pinged');
  },
};

const digests = new Set(
  Object.values(scripts).map(({ lua }) => createHash('sha1').update(lua).digest('hex')),
);
const texts = new Set(Object.values(scripts).map(({ lua }) => lua));
const OTHERS = new Set(['del', 'hdel', 'hget', 'zrem', 'zscore']);

/** A command of the store, and not of the queue, which talks all the time, nor of a connection that begins. */
const ofTheStore: CommandFilter = ([name = '', what = '', key = '']) =>
  texts.has(what) || digests.has(what) || (OTHERS.has(name) && !`${what}${key}`.includes(':deliveries:'));

/** A server that one run at a time uses, and its line. */
interface Place {
  readonly proxy: CutProxy;
  readonly server: PluginServer;
}

async function openPlace(name: string): Promise<Place> {
  const modes = name === 'a ping' ? (['poll', 'ping'] as const) : (['poll'] as const);
  const at = name === IN_STEPS ? apart : redis;
  const proxy = await startCutProxy(at.port);
  const pinged = pollClient('pinged', {
    backchannel_token_delivery_mode: 'ping',
    backchannel_client_notification_endpoint: receiver.url,
  });
  const server = pluginServer({
    redis: at.client({ port: proxy.port, lazyConnect: true }),
    config: { clients: [pollClient('till'), ...(name === 'a ping' ? [pinged] : [])] },
    hooks: { deliveryModes: [...modes] },
    ciba: { delivery: { allowLoopback: true }, limits: { refusals: false } },
  });
  await isAtRest(server);
  return { proxy, server };
}

const isAtRest = (server: PluginServer): Promise<void> =>
  until('the store answers', async () => (await server.ciba.requests.list('nobody')).length === 0);

/** Goes through a flow, and lets a fault befall its n-th command. Says whether it had so many. */
async function goThrough({ proxy, server }: Place, flow: Flow, n: number, fault: Fault): Promise<boolean> {
  let [seen, met] = [0, false];
  void proxy
    .befall((command) => {
      if (ofTheStore(command)) seen += 1;
      return seen === n;
    }, fault)
    .then(() => {
      met = true;
    });
  await flow({ server, faults: 0, alone: true, tokens: server.store.count('AccessToken') });
  // One that is to be done late may be under way yet.
  await isAtRest(server);
  return met;
}

/** Faults at the first command, the second, and so on, until a run has met none. How many runs met one. */
async function atEveryCommand(places: readonly Place[], flow: Flow, fault: Fault): Promise<number> {
  let [next, runs, over] = [1, 0, false];
  const goOn = async (place: Place): Promise<void> => {
    while (!over) {
      const n = next;
      next += 1;
      if (await goThrough(place, flow, n, fault)) runs += 1;
      else over = true;
    }
  };
  await Promise.all(places.map(goOn));
  return runs;
}

describe.each(Object.entries(FLOWS))('F11 %s', (name, flow) => {
  let places: Place[];

  beforeAll(async () => {
    places = await Promise.all(Array.from({ length: AT_A_TIME }, () => openPlace(name)));
  });
  afterAll(async () => {
    for (const { proxy, server } of places) {
      await server.close();
      // Nothing of it stays open.
      await until('its connections are closed', () => proxy.connections === 0);
      await proxy.close();
    }
  });

  const faults = Object.entries(FAULTS).filter(
    ([, fault]) => isLong || FULL.has(name) || fault === 'unheard',
  );

  test.each(faults)(
    'F11 each command in turn is one %s: every answer is true or 503, and the flow comes to its right end',
    async (_what, fault) => {
      let runs = 0;
      for (let round = 0; round < ROUNDS; round += 1) runs += await atEveryCommand(places, flow, fault);
      expect(runs).toBeGreaterThanOrEqual((name === IN_STEPS ? 12 : 5) * ROUNDS);
      counted += runs;
    },
    600_000,
  );
});

let counted = 0;
afterAll(() => {
  if (isLong) process.stdout.write(`F11: ${counted} faults\n`);
});
