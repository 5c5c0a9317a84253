import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { ClientMetadata } from 'oidc-provider';
import { CLAIM_LEASE } from '../../lib/store/lifecycle.js';
import { pollClient } from '../support/configuration.js';
import { PlainStore } from '../support/plain-adapter.js';
import { type Receiver, startReceiver, status } from '../support/receiver.js';
import { holdersOf } from '../support/redis-contents.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import { asked, introspect, type PluginServer, pluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';

const [KEY, OTHER] = [randomBytes(32), randomBytes(32).toString('base64url')];

/** What is personal about a request, and is found nowhere else. */
const PERSONAL = {
  'binding message': 'Pay 12.50 EUR to Dr. Adams',
  'authorization details': 'DE02120300000000202051',
  'claims asked for': 'phone_number_of_alice',
  'name of the client': 'Clinic for rare diseases',
  'reason of a denial': 'I am in hospital, ask later',
  acr: 'urn:example:by-her-own-hand',
} as const;

let redis: TestRedis;
let client: Redis;
let receiver: Receiver;
let open: PluginServer[];
/** Every server's: what Redis holds is the plugin's alone. */
let grants: PlainStore;

beforeEach(async () => {
  [redis, receiver] = [await startRedis(), await startReceiver()];
  client = redis.client();
  open = [];
  grants = new PlainStore(() => Date.now());
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  await receiver.close();
  await redis.stop();
});

function serverWith(keys: readonly (Uint8Array | string)[] | undefined): PluginServer {
  const of = (id: string, mode: string): ClientMetadata =>
    pollClient(id, {
      client_name: PERSONAL['name of the client'],
      backchannel_token_delivery_mode: mode as 'poll',
      ...(mode !== 'poll' && { backchannel_client_notification_endpoint: receiver.url }),
      authorization_details_types: ['payment'],
    });
  const server = pluginServer({
    redis: redis.client(),
    config: {
      adapter: grants.adapter,
      clients: [of('till', 'poll'), of('pinged', 'ping'), of('pushed', 'push')],
    },
    features: {
      claimsParameter: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://api.example',
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'openid', accessTokenFormat: 'opaque' as const }),
      },
      richAuthorizationRequests: {
        enabled: true,

        types: { payment: { validate: () => {} } },
      } as never,
    },
    hooks: { deliveryModes: ['poll', 'ping', 'push'] },
    ciba: {
      prefix: 'ciba',
      delivery: { allowLoopback: true },
      channels: [{ name: 'inbox', send: async () => {} }],
      ...(keys && { encryption: { keys } }),
    },
  });
  open.push(server);
  return server;
}

async function close(server: PluginServer): Promise<void> {
  open.splice(open.indexOf(server), 1);
  await server.close();
}

const token = (): string => randomBytes(24).toString('base64url');
const handleOf = (server: PluginServer, id: string): string => server.ciba.requests.handleOf(id);

/** Asks with everything that is personal, and waits until the person was prompted. */
async function askWithAll(server: PluginServer, clientId: string, notification?: string): Promise<string> {
  const id = await asked(
    server,
    {
      scope: 'openid offline_access',
      binding_message: PERSONAL['binding message'],
      authorization_details: JSON.stringify([{ type: 'payment', iban: PERSONAL['authorization details'] }]),
      claims: JSON.stringify({ id_token: { [PERSONAL['claims asked for']]: null } }),
      ...(notification && { client_notification_token: notification }),
    },
    { client: clientId },
  );
  await until(
    'the person is prompted',
    async () => (await server.ciba.prompts.get(handleOf(server, id)))?.channels[0]?.state === 'sent',
  );
  return id;
}

interface Found {
  /** Each text of the flow, by what it is: which keys held it, at any moment of the flow. */
  readonly holders: Readonly<Record<string, readonly string[]>>;
  /** What the client got. */
  readonly got: Readonly<Record<string, string>>;
}

/** Whole flows of all three modes. All of Redis is searched after each step. */
async function runFlows(server: PluginServer): Promise<Found> {
  const texts: Record<string, string> = { ...PERSONAL };
  const holders: Record<string, Set<string>> = {};
  const look = async (): Promise<void> => {
    for (const [name, text] of Object.entries(texts)) {
      holders[name] ??= new Set();
      for (const key of await holdersOf(client, text)) holders[name].add(key);
    }
  };
  const got: Record<string, string> = {};
  const approval = { acr: PERSONAL.acr, amr: ['pin'] };

  const polled = await askWithAll(server, 'till');
  texts['auth_req_id of a poll'] = polled;
  await look();
  expect((await poll(server, polled)).body.error).toBe('authorization_pending');
  await server.approve(polled, approval);
  await look();
  const { body: tokens } = await poll(server, polled);
  got['poll'] = tokens.access_token;
  texts['access token of a poll'] = tokens.access_token;
  texts['refresh token of a poll'] = tokens.refresh_token;
  await look();

  const refused = await askWithAll(server, 'till');
  await server.deny(refused, PERSONAL['reason of a denial']);
  await look();
  const { body: denial } = await poll(server, refused);
  got['denial'] = denial.error_description;

  receiver.answer(status(503));
  for (const mode of ['ping', 'push'] as const) {
    const before = receiver.received.length;
    const notification = token();
    const id = await askWithAll(server, `${mode}ed`, notification);
    texts[`auth_req_id of a ${mode}`] = id;
    texts[`notification token of a ${mode}`] = notification;
    await look();
    await server.approve(id, approval);
    await until('it was tried', async () => {
      const { attempts } = (await server.ciba.deliveries.get(handleOf(server, id))) ?? {};
      return attempts === 1;
    });
    const tried = receiver.received[before];
    expect(tried?.headers.authorization).toBe(`Bearer ${notification}`);
    const body = JSON.parse(tried?.body ?? '{}') as Record<string, string>;
    expect(body['auth_req_id']).toBe(id);
    if (mode === 'push') {
      texts['access token of a push'] = String(body['access_token']);
      texts['refresh token of a push'] = String(body['refresh_token']);
      texts['ID Token of a push'] = String(body['id_token']);
      got['push'] = String(body['access_token']);
    }
    // The body waits for the next attempt.
    await look();
    receiver.answer(status(204));
    await server.ciba.deliveries.retry(handleOf(server, id));
    await until('it is delivered', async () => {
      const { state } = (await server.ciba.deliveries.get(handleOf(server, id))) ?? {};
      return state === 'delivered';
    });
    if (mode === 'ping') got['ping'] = (await poll(server, id, {}, { client: 'pinged' })).body.access_token;
    await look();
    receiver.answer(status(503));
  }
  return {
    holders: Object.fromEntries(Object.entries(holders).map(([name, keys]) => [name, [...keys]])),
    got,
  };
}

test('whole flows by poll, ping and push leave no secret and no personal text in Redis [PING-12, PRIV-5, SEC-11]', async () => {
  const server = serverWith([KEY]);
  const { holders, got } = await runFlows(server);
  for (const [name, keys] of Object.entries(holders)) expect([name, keys]).toEqual([name, []]);
  for (const mode of ['poll', 'ping', 'push']) {
    const claims = await introspect(server, String(got[mode]));
    expect(claims).toMatchObject({ active: true, sub: 'alice' });
  }
  expect(got['denial']).toBe(PERSONAL['reason of a denial']);
  expect(server.heard).not.toContain('store.unavailable');
});

test('CONTROL: without encryption the same search finds them, but for what is stored nowhere', async () => {
  const { holders } = await runFlows(serverWith(undefined));
  const nowhere = ['auth_req_id of a poll', 'access token of a poll', 'refresh token of a poll'];
  const found = Object.entries(holders).filter(([, keys]) => keys.length > 0);
  expect(found.map(([name]) => name).sort()).toEqual(
    Object.keys(holders)
      .filter((name) => !nowhere.includes(name))
      .sort(),
  );
  // As operations.md has it.
  for (const [name, keys] of found) {
    const secret = /token|auth_req_id|Token/.test(name);
    const form = secret ? /^ciba:\{[\w-]{22}\}:callback$/ : /^ciba:\{[\w-]{22}\}(:callback)?$/;
    for (const key of keys) expect([name, key]).toEqual([name, expect.stringMatching(form)]);
  }
});

test('the id of an account is in the clear in its requests alone, where the scripts compare it', async () => {
  const server = serverWith([KEY]);
  const id = await askWithAll(server, 'pushed', token());
  await server.approve(id);
  expect(await holdersOf(client, 'alice')).toEqual([`ciba:{${handleOf(server, id)}}`]);
});

describe('what is under a key that the server does not have', () => {
  test('never comes to tokens: the poll is answered 503, and said to be so, until the key is there', async () => {
    const before = serverWith([KEY]);
    const id = await asked(before);
    await before.approve(id);
    const without = serverWith([OTHER]);
    const answer = await poll(without, id);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('5');
    expect(answer.body.error).toBe('temporarily_unavailable');
    expectErrorEnvelope(answer);
    const causes = without.events
      .filter(({ name }) => name === 'store.unavailable')
      .map(({ event }) => event);
    expect(causes).toEqual([
      { cause: expect.objectContaining({ message: expect.stringMatching(/not among the keys$/) }) },
    ]);
    expect(String((causes[0] as { cause: Error }).cause.message)).not.toContain(id);
    // What it has claimed without being able to read it is given back.
    const server = serverWith([OTHER, KEY]);
    await until('there are tokens', async () => (await poll(server, id)).status === 200, CLAIM_LEASE / 2);
  });

  test('cannot be decided, and can once the key is there', async () => {
    const id = await asked(serverWith([KEY]));
    const without = serverWith([OTHER]);
    await expect(
      without.ciba.requests.approve(handleOf(without, id), { accountId: 'alice' }),
    ).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    const during = serverWith([OTHER, KEY]);
    await during.approve(id);
    expect((await poll(during, id)).status).toBe(200);
  });

  test('is not told to the client of a push, which is told once the key is there [PUSH-1]', async () => {
    const before = serverWith([KEY]);
    const id = await asked(before, { client_notification_token: token() }, { client: 'pushed' });
    await close(before);
    const decided = serverWith([KEY]);
    receiver.answer(status(503));
    await decided.approve(id);
    await until('it was tried', () => receiver.received.length === 1);
    await close(decided);
    const without = serverWith([OTHER]);
    without.advance(5);
    await until('it was looked at', () => without.heard.includes('store.unavailable'));
    expect(receiver.received.length).toBe(1);
    await close(without);
    receiver.answer(status(204));
    const after = serverWith([OTHER, KEY]);
    after.advance(30);
    await until('it is delivered', () => after.heard.includes('delivery.delivered'));
    expect(receiver.received.map(({ body }) => body)).toEqual(Array(2).fill(receiver.received[0]?.body));
  });
});
