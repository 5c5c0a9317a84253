import type { CibaOptions } from 'oidc-provider-ciba';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { expectRefused } from '../support/refusal.js';
import {
  ask,
  asked,
  type Params,
  type PluginServer,
  type PluginServerOptions,
  poll,
} from '../support/server.js';
import { until } from '../support/until.js';

const CLIENTS = ['till', 'kiosk', 'web-shop', 'van'];
const config = { clients: CLIENTS.map((id) => pollClient(id)) };

/** What a client hears of every limit of a person. */
const CANNOT_BE_ASKED = {
  error: 'access_denied',
  error_description: 'the user cannot be asked now',
};
const limited = { status: 403, error: 'access_denied' };

onEveryStore('how often people are asked', (make) => {
  /** A server that notes whom it has reached, on both roads. */
  const serve = (limits?: CibaOptions['limits'], more: PluginServerOptions = {}) => {
    const reached: string[] = [];
    const reach = (accountId: unknown): void => void reached.push(String(accountId));
    const server = make({
      config,
      hooks: { triggerAuthenticationDevice: (_ctx, { accountId }) => reach(accountId) },
      ciba: { limits, channels: [{ name: 'inbox', send: async ({ accountId }) => reach(accountId) }] },
      ...more,
    });
    return { server, reached };
  };
  const as = (client: string) => ({ client });
  const askedTimes = async (server: PluginServer, times: number, client = 'till', params: Params = {}) => {
    const ids: string[] = [];
    for (let time = 0; time < times; time++) ids.push(await asked(server, params, as(client)));
    return ids;
  };
  const deny = async (server: PluginServer, ids: readonly string[]) => {
    for (const id of ids) await server.deny(id);
  };
  /** A request that a limit stops: the event says which, and nothing else is heard, stored or sent. */
  const expectLimited = async (server: PluginServer, client: string, limit: string, params: Params = {}) => {
    const before = server.events.length;
    const answer = await expectRefused(server, () => ask(server, params, as(client)), limited);
    expect(answer.body).toEqual(CANNOT_BE_ASKED);
    expect(answer.headers['retry-after']).toBe(undefined);
    expect(server.events.slice(before).filter(({ name }) => name.startsWith('request.'))).toEqual([
      { name: 'request.limited', event: { clientId: client, accountId: 'alice', limit } },
      { name: 'request.refused', event: { clientId: client, error: 'access_denied' } },
    ]);
    return answer;
  };

  it('the eleventh pending request for one person is refused, whichever client asks, and nobody is prompted [SEC-1] [SEC-14] [ERR-12]', async () => {
    const { server, reached } = serve();
    const [first] = await askedTimes(server, 4, 'till');
    await askedTimes(server, 4, 'kiosk');
    await askedTimes(server, 2, 'web-shop');
    for (const client of CLIENTS) await expectLimited(server, client, 'account');
    expect(server.heard.filter((name) => name === 'request.accepted').length).toBe(10);
    expect(reached.filter((accountId) => accountId !== 'alice')).toEqual([]);
    // Ten on each of two roads.
    await until('every prompt is out', () => reached.length >= 20);
    expect(reached).toHaveLength(20);
    expect((await ask(server, { login_hint: 'bob' }, as('van'))).status).toBe(200);
    await server.approve(String(first));
    expect((await ask(server, {}, as('van'))).status).toBe(200);
    await expectLimited(server, 'van', 'account');
  });

  it('the sixth of one client for one person is refused, and other clients are not [SEC-1] [SEC-14]', async () => {
    const { server } = serve();
    const [first] = await askedTimes(server, 5);
    await expectLimited(server, 'till', 'account_and_client');
    expect((await ask(server, {}, as('kiosk'))).status).toBe(200);
    expect((await ask(server, { login_hint: 'bob' })).status).toBe(200);
    await server.ciba.requests.cancel(server.ciba.requests.handleOf(String(first)));
    expect((await ask(server)).status).toBe(200);
    await expectLimited(server, 'till', 'account_and_client');
  });

  it('a client with too many pending requests hears 429 and when to come again [SEC-14]', async () => {
    const { server } = serve({ pendingPerClient: 3 });
    const [first] = await askedTimes(server, 2);
    await asked(server, { login_hint: 'bob' });
    for (const login_hint of ['alice', 'bob']) {
      const answer = await expectRefused(server, () => ask(server, { login_hint }), {
        status: 429,
        error: 'temporarily_unavailable',
      });
      expect(answer.headers['retry-after']).toBe('30');
      expect(answer.body.error_description).toBe('the client has too many pending requests');
      expect(server.events.findLast(({ name }) => name === 'request.limited')?.event).toEqual({
        clientId: 'till',
        accountId: login_hint,
        limit: 'client',
      });
    }
    expect((await ask(server, {}, as('kiosk'))).status).toBe(200);
    await server.deny(String(first));
    expect((await ask(server)).status).toBe(200);
  });

  it.each<[string, CibaOptions['limits'], string]>([
    ['of a person', { pendingPerAccount: 1 }, 'account'],
    ['of a person and a client', { pendingPerAccountAndClient: 1 }, 'account_and_client'],
  ])('what has expired does not count %s', async (_what, limits, limit) => {
    const { server } = serve(limits);
    await asked(server);
    await expectLimited(server, 'till', limit);
    server.advance(301);
    expect((await ask(server)).status).toBe(200);
  });

  it('what has expired does not count of a client', async () => {
    const { server } = serve({ pendingPerClient: 1 });
    await asked(server);
    expect((await ask(server)).status).toBe(429);
    server.advance(301);
    expect((await ask(server)).status).toBe(200);
  });

  it('after three denials a client leaves the person alone for ten minutes [SEC-1]', async () => {
    const { server } = serve();
    await deny(server, await askedTimes(server, 2));
    const third = await asked(server);
    await server.deny(third);
    await expectLimited(server, 'till', 'refusals');
    expect((await ask(server, {}, as('kiosk'))).status).toBe(200);
    expect((await ask(server, { login_hint: 'bob' })).status).toBe(200);
    server.advance(598);
    await expectLimited(server, 'till', 'refusals');
    server.advance(3);
    expect((await ask(server)).status).toBe(200);
  });

  it('each denial counts for ten minutes of its own [SEC-1]', async () => {
    const { server } = serve();
    await deny(server, await askedTimes(server, 1));
    server.advance(400);
    await deny(server, await askedTimes(server, 2));
    await expectLimited(server, 'till', 'refusals');
    server.advance(201);
    await deny(server, await askedTimes(server, 1));
    await expectLimited(server, 'till', 'refusals');
  });

  it('a request that nobody answers counts as a denial once it has expired [SEC-1]', async () => {
    const { server } = serve();
    await askedTimes(server, 3);
    expect((await ask(server)).status).toBe(200);
    server.advance(301);
    await expectLimited(server, 'till', 'refusals');
    server.advance(601);
    expect((await ask(server)).status).toBe(200);
  });

  it('what was approved, or withdrawn by the server, is no denial', async () => {
    const { server } = serve();
    for (let time = 0; time < 4; time++) {
      const [approved, cancelled] = await askedTimes(server, 2);
      await server.approve(String(approved));
      expect((await poll(server, String(approved))).status).toBe(200);
      await server.ciba.requests.cancel(server.ciba.requests.handleOf(String(cancelled)));
    }
    expect((await ask(server)).status).toBe(200);
  });

  it('denials already begun are not undone: what pends may be approved yet', async () => {
    const { server } = serve();
    const ids = await askedTimes(server, 4);
    await deny(server, ids.slice(0, 3));
    await expectLimited(server, 'till', 'refusals');
    await server.approve(String(ids[3]));
    expect((await poll(server, String(ids[3]))).status).toBe(200);
  });

  it('the cool-down is as long, and comes as soon, as the server says', async () => {
    const { server } = serve({ refusals: 1, cooldown: 30 });
    await deny(server, await askedTimes(server, 1));
    await expectLimited(server, 'till', 'refusals');
    server.advance(31);
    expect((await ask(server)).status).toBe(200);
  });

  it('a person who reports a request is not asked by that client any more, until they allow it [SEC-1]', async () => {
    const { server } = serve();
    const [reported, other] = await askedTimes(server, 2);
    const [kept] = await askedTimes(server, 1, 'kiosk');
    const handle = server.ciba.requests.handleOf(String(reported));
    await server.ciba.requests.report(handle, { accountId: 'alice' });
    expect(server.events.at(-1)).toEqual({
      name: 'request.reported',
      event: { handle, clientId: 'till', accountId: 'alice' },
    });
    for (const id of [reported, other]) {
      expect((await poll(server, String(id))).body.error).toBe('access_denied');
    }
    expect((await poll(server, String(kept), {}, as('kiosk'))).body.error).toBe('authorization_pending');
    await expectLimited(server, 'till', 'blocked');
    expect((await ask(server, { login_hint: 'bob' })).status).toBe(200);
    expect((await ask(server, {}, as('kiosk'))).status).toBe(200);
    // Longer than any cool-down.
    server.advance(30 * 86_400);
    await expectLimited(server, 'till', 'blocked');
    await server.ciba.requests.unblock('alice', 'till');
    expect((await ask(server)).status).toBe(200);
  });

  it('a block ends by itself after half a year', async () => {
    const { server } = serve();
    const handle = server.ciba.requests.handleOf(await asked(server));
    await server.ciba.requests.report(handle, { accountId: 'alice' });
    server.advance(179 * 86_400);
    await expectLimited(server, 'till', 'blocked');
    server.advance(2 * 86_400);
    expect((await ask(server)).status).toBe(200);
  });

  it('allowing a client again also forgets what was denied it', async () => {
    const { server } = serve();
    await deny(server, await askedTimes(server, 3));
    await expectLimited(server, 'till', 'refusals');
    await server.ciba.requests.unblock('alice', 'till');
    expect((await ask(server)).status).toBe(200);
  });

  it('a client cannot tell which limit of a person it has met [SEC-1]', async () => {
    const reading = async (
      limits: CibaOptions['limits'],
      meet: (server: PluginServer) => Promise<unknown>,
    ) => {
      const { server } = serve(limits);
      await meet(server);
      const { status, body, headers } = await ask(server);
      return { status, body, headers: Object.keys(headers).sort() };
    };
    const readings = [
      await reading({ pendingPerAccount: 1 }, (server) => asked(server)),
      await reading({ pendingPerAccountAndClient: 1 }, (server) => asked(server)),
      await reading({ refusals: 1 }, async (server) => server.deny(await asked(server))),
      await reading({}, async (server) => {
        const handle = server.ciba.requests.handleOf(await asked(server));
        await server.ciba.requests.report(handle, { accountId: 'alice' });
      }),
    ];
    expect(readings[0]).toMatchObject({ status: 403, body: CANNOT_BE_ASKED });
    for (const one of readings) expect(one).toEqual(readings[0]);
  });

  it('without limits all pass, but for those that the person has blocked', async () => {
    const { server } = serve(false);
    const ids = await askedTimes(server, 12);
    await deny(server, ids);
    const [last] = await askedTimes(server, 1);
    const handle = server.ciba.requests.handleOf(String(last));
    await server.ciba.requests.report(handle, { accountId: 'alice' });
    await expectLimited(server, 'till', 'blocked');
    await server.ciba.requests.unblock('alice', 'till');
    expect((await ask(server)).status).toBe(200);
  });

  it('each limit can be given up by itself', async () => {
    const { server } = serve({ pendingPerAccount: false, pendingPerAccountAndClient: false });
    await deny(server, (await askedTimes(server, 12)).slice(0, 3));
    await expectLimited(server, 'till', 'refusals');
    const { server: patient } = serve({ refusals: false });
    await deny(patient, await askedTimes(patient, 4));
    await askedTimes(patient, 5);
    await expectLimited(patient, 'till', 'account_and_client');
  });

  it('many at once are no more than one by one [SEC-1] [SEC-3]', async () => {
    const { server } = serve();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => ask(server, {}, as(String(CLIENTS[index % 4])))),
    );
    expect(answers.filter(({ status }) => status === 200).length).toBe(10);
    expect(answers.filter(({ status }) => status === 403).length).toBe(30);
    expect(server.heard.filter((name) => name === 'request.accepted').length).toBe(10);
    expect((await server.ciba.requests.list('alice')).length).toBe(10);
  });
});
