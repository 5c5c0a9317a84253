import request from 'supertest';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import { ask, asked, introspect, type PluginServer, pluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';

describe('while Redis is away', () => {
  let redis: TestRedis;
  let server: PluginServer;

  beforeEach(async () => {
    redis = await startRedis();
    server = pluginServer({
      redis: redis.client(),
      ciba: { authenticateDecision: () => ({ accountId: 'alice' }) },
    });
    // The plugin opens its connection when it is made; the first request waits for it.
    await asked(server);
  });
  afterEach(async () => {
    await server.close();
    await redis.stop();
  });

  it('every endpoint answers 503 with Retry-After, and recovers by itself [HTTP-12] [POLL-12] [ERR-15]', async () => {
    const authReqId = await asked(server);
    const path = `/ciba/requests/${server.ciba.requests.handleOf(authReqId)}`;
    await redis.kill();

    const answers = await Promise.all([
      ask(server),
      poll(server, authReqId),
      request(server.app).get('/ciba/requests'),
      request(server.app).get(path),
      request(server.app).post(`${path}/approve`).send({}),
      request(server.app).post(`${path}/deny`).send({}),
    ]);
    for (const answer of answers) {
      expect({ status: answer.status, error: answer.body.error }).toEqual({
        status: 503,
        error: 'temporarily_unavailable',
      });
      expect(answer.headers['retry-after']).toBe('5');
      expectErrorEnvelope(answer);
    }
    await expect(server.ciba.requests.cancel(server.ciba.requests.handleOf(authReqId))).rejects.toMatchObject(
      {
        code: 'store_unavailable',
      },
    );
    expect(server.heard).toContain('store.unavailable');
    expect(server.heard.filter((name) => /approved|denied|cancelled/.test(name))).toEqual([]);

    await redis.restart();
    await until('the server works again', async () => (await ask(server)).status === 200);
    // The new server is empty: what it never heard of is unknown, not approved.
    expect((await poll(server, authReqId)).body.error).toBe('invalid_grant');
    const fresh = await asked(server);
    await server.approve(fresh);
    expect((await poll(server, fresh)).status).toBe(200);
  });

  it('a server that hangs is answered for as well, and a request it knew goes on afterwards', async () => {
    const authReqId = await asked(server);
    redis.pause();
    const [asking, polling] = await Promise.all([ask(server), poll(server, authReqId)]);
    redis.resume();
    expect([asking.status, polling.status]).toEqual([503, 503]);
    await until('the store answers', async () => (await ask(server)).status === 200);
    await server.approve(authReqId);
    expect((await poll(server, authReqId)).status).toBe(200);
  });

  it('a redemption that cannot be settled brings no tokens, and none stays behind', async () => {
    let arrive = (): void => {};
    let wake = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    let stalls = true;
    const slow = pluginServer({
      redis: redis.client(),
      config: {
        findAccount: async (_ctx, accountId) => {
          if (slow.heard.includes('request.approved') && stalls) {
            arrive();
            await woken;
          }
          return { accountId, claims: async () => ({ sub: accountId }) };
        },
      },
    });
    const authReqId = await asked(slow);
    await slow.approve(authReqId);
    const redeeming = poll(slow, authReqId);
    await arrived;
    redis.pause();
    wake();
    const lost = await redeeming;
    redis.resume();
    stalls = false;
    expect({ status: lost.status, error: lost.body.error }).toEqual({
      status: 503,
      error: 'temporarily_unavailable',
    });
    expectErrorEnvelope(lost);
    expect(slow.store.count('AccessToken')).toBe(0);
    expect(slow.events.find(({ name }) => name === 'redemption.lost')?.event).toMatchObject({
      reason: 'store_unavailable',
    });
    await slow.close();
  });

  it('tokens that were issued before stay good', async () => {
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const { access_token: accessToken } = (await poll(server, authReqId)).body;
    await redis.kill();
    expect((await introspect(server, accessToken)).active).toBe(true);
    await redis.restart();
    await until('the server works again', async () => (await ask(server)).status === 200);
  });
});
