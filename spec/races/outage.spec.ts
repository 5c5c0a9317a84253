import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import express from 'express';
import Provider from 'oidc-provider';
import supertest from 'supertest';
import { type Ciba, createCiba } from '../../lib/index.js';
import { CLAIM_LEASE } from '../../lib/store/lifecycle.js';
import { movingClock } from '../support/clock.js';
import { type CutProxy, callOf, startCutProxy } from '../support/cut-proxy.js';
import { loadScripts } from '../support/load-scripts.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { RACER, raceConfiguration } from './race-configuration.js';

/** Redis stops answering in the middle of a redemption, and goes on later. */
let redis: TestRedis;
let proxy: CutProxy;
let ciba: Ciba;
let atRedemption: () => Promise<void> | void;
let app: express.Express;
let http: ReturnType<typeof supertest>;
let clock: ReturnType<typeof movingClock>;

beforeEach(async () => {
  redis = await startRedis();
  await loadScripts(redis.client());
  clock = movingClock();
  atRedemption = () => {};
  proxy = await startCutProxy(redis.port);
  ciba = createCiba({
    redis: redis.client({ port: proxy.port }),
    resolveLoginHint: (hint) => hint,
    timeOffset: clock.offset,
  });
  const config = raceConfiguration(undefined, (token) => {
    return token?.kind === 'BackchannelAuthenticationRequest' ? atRedemption() : undefined;
  });
  const provider = new Provider('http://127.0.0.1', ciba.configure(config));
  app = express().use(ciba.router(provider)).use(provider.callback());
  http = supertest(app);
});

afterEach(async () => {
  await ciba.close();
  await proxy.close();
  await redis.stop();
});

const form = (path: string, body: Record<string, string>): supertest.Test =>
  http.post(path).auth(RACER.client_id, RACER.client_secret).type('form').send(body);

const poll = (authReqId: string): supertest.Test =>
  form('/token', { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: authReqId });

async function approved(): Promise<string> {
  const { body } = await form('/backchannel', { scope: 'openid', login_hint: 'alice' }).expect(200);
  await ciba.requests.approve(ciba.requests.handleOf(body.auth_req_id), { accountId: 'alice' });
  return body.auth_req_id;
}

test('a settle that was given up takes no effect when the store goes on: the approval is still there [TOK-14, HTTP-12]', async () => {
  const authReqId = await approved();
  const lost: string[] = [];
  ciba.on('redemption.lost', ({ reason }) => void lost.push(reason));

  atRedemption = () => redis.pause();
  const given = await poll(authReqId).expect(503);
  expect(given.body).toEqual({ error: 'temporarily_unavailable', error_description: expect.any(String) });
  expect(given.headers['retry-after']).toBe('5');
  expect(lost).toEqual(['store_unavailable']);

  atRedemption = () => {};
  redis.resume();
  clock.advance(CLAIM_LEASE);
  const { body } = await poll(authReqId).expect(200);
  await http.get('/me').auth(body.access_token, { type: 'bearer' }).expect(200);
  expect((await poll(authReqId).expect(400)).body.error).toBe('invalid_grant');
});

test('a client that has gone before the answer leaves finds its tokens with the next poll [POLL-11]', async () => {
  const authReqId = await approved();
  const released = new Promise<void>((resolve) => ciba.on('redemption.released', () => resolve()));
  const listener = app.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const going = request({
    port: (listener.address() as AddressInfo).port,
    host: '127.0.0.1',
    path: '/token',
    method: 'POST',
    auth: `${RACER.client_id}:${RACER.client_secret}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  const [gone, connected] = [once(going, 'error'), once(listener, 'connection')];
  atRedemption = async () => {
    const [socket] = (await connected) as [Socket];
    going.destroy(new Error('the client has gone'));
    await once(socket, 'close');
  };
  const grant = { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: authReqId };
  going.end(new URLSearchParams(grant).toString());
  await gone;
  await released;
  listener.close();

  atRedemption = () => {};
  await poll(authReqId).expect(200);
});

test.each(['before', 'after'])(
  "a fault in the server's own middleware, added %s the router, gives the approval back [TOK-14]",
  async (order) => {
    const provider = new Provider(
      'http://127.0.0.1',
      (await freshCiba()).configure(raceConfiguration(undefined, () => {})),
    );
    let fault = true;
    const addMiddleware = () =>
      provider.use(async (ctx, next) => {
        await next();
        if (fault && ctx.path === '/token' && ctx.status === 200) throw new Error('a fault of the server');
      });
    provider.silent = true;
    if (order === 'before') addMiddleware();
    const routes = ciba.router(provider);
    if (order === 'after') addMiddleware();
    http = supertest(express().use(routes).use(provider.callback()));
    const authReqId = await approved();
    await poll(authReqId).expect(500);
    fault = false;
    await poll(authReqId).expect(200);
  },
);

async function freshCiba(): Promise<Ciba> {
  await ciba.close();
  ciba = createCiba({ redis: redis.client(), resolveLoginHint: (hint) => hint, timeOffset: clock.offset });
  return ciba;
}

/** The next call of a script takes effect, and then nothing comes from Redis until the proxy thaws. */
async function loseTheAnswerTo(script: Parameters<typeof callOf>[0]): Promise<void> {
  await proxy.cutReplyOf(callOf(script));
  proxy.freeze();
}

test('a settle that took effect and whose answer is lost: no token has left, so the approval comes back [TOK-14]', async () => {
  const authReqId = await approved();
  const lost = loseTheAnswerTo('settle');
  await poll(authReqId).expect(503);
  await lost;
  proxy.thaw();

  const handle = ciba.requests.handleOf(authReqId);
  await until('the approval is back', async () => (await ciba.requests.get(handle))?.status === 'approved');
  const { body } = await poll(authReqId).expect(200);
  await http.get('/me').auth(body.access_token, { type: 'bearer' }).expect(200);
});

test('while a redemption may be given back no other node says that the approval is used up [TOK-14]', async () => {
  const other = createCiba({ redis: redis.client(), resolveLoginHint: (hint) => hint });
  try {
    const provider = new Provider(
      'http://127.0.0.1',
      other.configure(raceConfiguration(undefined, () => {})),
    );
    const beside = supertest(express().use(other.router(provider)).use(provider.callback()));
    const pollBeside = (authReqId: string) =>
      beside
        .post('/token')
        .auth(RACER.client_id, RACER.client_secret)
        .type('form')
        .send({ grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: authReqId });
    const authReqId = await approved();
    const lost = loseTheAnswerTo('settle');
    await poll(authReqId).expect(503);
    await lost;
    expect((await other.requests.get(other.requests.handleOf(authReqId)))?.status).toBe('redeemed');
    const waiting = await pollBeside(authReqId).expect(400);
    expect(waiting.body.error).toBe('slow_down');
    expect(waiting.headers['retry-after']).toBe('1');

    proxy.thaw();
    await poll(authReqId).expect(200);
    expect((await pollBeside(authReqId).expect(400)).body.error).toBe('invalid_grant');
  } finally {
    await other.close();
  }
});

test('a poll that was answered 503 is not held against the client when it comes again [POLL-1, POLL-12]', async () => {
  const { body } = await form('/backchannel', { scope: 'openid', login_hint: 'alice' }).expect(200);
  const lost = loseTheAnswerTo('poll');
  await poll(body.auth_req_id).expect(503);
  await lost;
  proxy.thaw();
  await until('the store answers', async () => (await ciba.requests.list('alice')).length === 1);

  expect((await poll(body.auth_req_id).expect(400)).body.error).toBe('authorization_pending');
  expect((await poll(body.auth_req_id).expect(400)).body.error).toBe('slow_down');
});

test('an approval whose answer is lost is tried again as the same one, and told once [UX-4]', async () => {
  const { body } = await form('/backchannel', { scope: 'openid', login_hint: 'alice' }).expect(200);
  const told: string[] = [];
  ciba.on('request.approved', ({ handle }) => void told.push(handle));
  ciba.on('store.unavailable', () => proxy.thaw());
  const lost = loseTheAnswerTo('conclude');
  const handle = ciba.requests.handleOf(body.auth_req_id);
  await ciba.requests.approve(handle, { accountId: 'alice' });
  await lost;
  expect(told).toEqual([handle]);
  await poll(body.auth_req_id).expect(200);
});

test('a request that was answered 503 does not stay: nobody could ever redeem it [HTTP-13]', async () => {
  await approved();
  const keys = redis.client();
  const before = await keys.dbsize();
  const lost = loseTheAnswerTo('ask');
  await form('/backchannel', { scope: 'openid', login_hint: 'alice' }).expect(503);
  await lost;
  expect(await keys.dbsize()).toBeGreaterThan(before);
  proxy.thaw();
  await until('nothing of it is left', async () => (await keys.dbsize()) === before);
  expect(await ciba.requests.list('alice')).toEqual([]);
});

test('a withdrawal whose answer is lost is tried again as the same one, and told once', async () => {
  const { body } = await form('/backchannel', { scope: 'openid', login_hint: 'alice' }).expect(200);
  const told: string[] = [];
  ciba.on('request.cancelled', ({ handle }) => told.push(handle));
  ciba.on('store.unavailable', () => proxy.thaw());
  const lost = loseTheAnswerTo('conclude');
  const handle = ciba.requests.handleOf(body.auth_req_id);
  await ciba.requests.cancel(handle);
  await lost;
  expect(told).toEqual([handle]);
});
