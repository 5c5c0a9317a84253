import request from 'supertest';
import { linked, open, options as pages, send as sendForm } from '../page/linked.js';
import { pollClient } from '../support/configuration.js';
import { makeDpopKey } from '../support/dpop.js';
import {
  ask,
  asked,
  CIBA_GRANT,
  introspect,
  type Params,
  type PluginServer,
  type PluginServerOptions,
  poll,
  post,
  TOKEN,
} from '../support/server.js';
import { attackSpecs, expectError } from './attack-specs.js';

const app: PluginServerOptions = {
  ciba: {
    authenticateDecision: (req) => {
      const accountId = req.get('x-person');
      return accountId === undefined ? undefined : { accountId, acr: req.get('x-acr') };
    },
  },
};
const handleOf = (server: PluginServer, id: string): string => server.ciba.requests.handleOf(id);
const approved = async (server: PluginServer, params: Params = {}): Promise<string> => {
  const id = await asked(server, params);
  await server.approve(id);
  return id;
};
const decide = async (
  server: PluginServer,
  handle: string,
  verdict: string,
  person = 'alice',
  body: object = {},
) =>
  request(server.app)
    .post(`/ciba/requests/${encodeURIComponent(handle)}/${verdict}`)
    .set('x-person', person)
    .send(body);
const status = async (server: PluginServer, id: string): Promise<string | undefined> =>
  (await server.ciba.requests.get(handleOf(server, id)))?.status;

attackSpecs('Token endpoint', {
  async A40({ make }) {
    const server = make();
    for (const id of [undefined, '', ['a', 'b']]) {
      expectError(await post(server, TOKEN, { grant_type: CIBA_GRANT, auth_req_id: id }), 'invalid_request');
    }
    for (const more of [{ 'auth_req_id[]': 'a' }, { 'auth_req_id[a]': 'b' }]) {
      expectError(await post(server, TOKEN, { grant_type: CIBA_GRANT, ...more }), 'invalid_request');
    }
    const large = await poll(server, 'x'.repeat(100_000));
    expect([400, 413]).toContain(large.status);
    expectError(large, 'invalid_request', large.status);
  },
  async A41({ make }) {
    const server = make();
    const id = await asked(server);
    const flipped = id.replace(/[a-zA-Z]/g, (one) =>
      one === one.toLowerCase() ? one.toUpperCase() : one.toLowerCase(),
    );
    const wrong = [
      'x'.repeat(43),
      id.slice(0, -1),
      flipped,
      `${id}\0`,
      ` ${id}`,
      `${id} `,
      `${id}%00`,
      `${id}\n`,
    ];
    for (const other of wrong) expectError(await poll(server, other), 'invalid_grant');
    expectError(await poll(server, id), 'authorization_pending');
  },
  async A42({ unlimited }) {
    const server = unlimited();
    const ids = [await asked(server), await approved(server), await asked(server)];
    const [pending = '', yes = '', no = ''] = ids;
    await server.deny(no);
    for (const id of ids) {
      for (let time = 0; time < 3; time += 1) {
        expectError(await poll(server, id, {}, { client: 'kiosk' }), 'invalid_grant');
      }
    }
    // The first poll of the owner's is free, whatever others have sent before.
    expectError(await poll(server, pending), 'authorization_pending');
    expect((await poll(server, yes)).status).toBe(200);
    expectError(await poll(server, no), 'access_denied');
    server.advance(301);
    expectError(await poll(server, pending, {}, { client: 'kiosk' }), 'invalid_grant');
    expectError(await poll(server, pending), 'expired_token');
  },
  async A43({ make }) {
    const pushed = pollClient('pushed', {
      backchannel_token_delivery_mode: 'push' as 'ping',
      backchannel_client_notification_endpoint: 'https://pushed.example/cb',
    });
    const server = make({
      config: { clients: [pollClient('till'), pushed] },
      hooks: { deliveryModes: ['poll', 'push'] },
    });
    const { body } = await ask(
      server,
      { client_notification_token: 'token-of-the-client' },
      { client: 'pushed' },
    );
    expectError(await poll(server, body.auth_req_id, {}, { client: 'pushed' }), 'unauthorized_client');
  },
  async A44({ make }) {
    const server = make();
    const id = await asked(server);
    await server.deny(id);
    for (let time = 0; time < 2; time += 1) expectError(await poll(server, id), 'access_denied');
  },
  async A45({ make }) {
    const server = make();
    const id = await approved(server);
    const { body } = await poll(server, id);
    server.advance(30);
    expectError(await poll(server, id), 'invalid_grant');
    expect((await introspect(server, body.access_token)).active).toBe(true);
  },
  async A46({ make }) {
    const server = make();
    const id = await approved(server);
    const answers = await Promise.all(Array.from({ length: 8 }, () => poll(server, id)));
    const [won, ...others] = answers.filter((answer) => answer.status === 200);
    expect(others).toEqual([]);
    expect((await introspect(server, won?.body.access_token)).active).toBe(true);
  },
  async A47({ make }) {
    const server = make();
    const id = await asked(server);
    const answers = await Promise.all(Array.from({ length: 20 }, () => poll(server, id)));
    const told = answers.map(({ body }) => body.error).sort();
    expect(told).toEqual(['authorization_pending', ...Array(19).fill('slow_down')]);
  },
  async A48({ make }) {
    let there = true;
    const findAccount = async (_ctx: unknown, accountId: string) =>
      there ? { accountId, claims: async () => ({ sub: accountId }) } : undefined;
    const server = make({ config: { findAccount } });
    const id = await approved(server);
    there = false;
    expectError(await poll(server, id), 'invalid_grant');
    expect(server.store.count('AccessToken')).toBe(0);
  },
  async A49({ make }) {
    const server = make({ features: { deviceFlow: { enabled: true } } });
    const id = await approved(server);
    const device = 'urn:ietf:params:oauth:grant-type:device_code';
    const forms = [
      { grant_type: 'refresh_token', refresh_token: id },
      { grant_type: 'authorization_code', code: id, redirect_uri: 'https://web.example/cb' },
      { grant_type: device, device_code: id },
    ];
    for (const form of forms) {
      const answer = await post(server, TOKEN, form);
      expect(answer.status).toBe(400);
      expect(answer.body).not.toHaveProperty('access_token');
    }
    const { body } = await poll(server, id);
    expectError(await poll(server, body.access_token), 'invalid_grant');
  },
  async A50({ make }) {
    const server = make(app);
    const id = await asked(server);
    const answer = await decide(server, handleOf(server, id), 'approve', 'bob');
    expectError(answer, 'not_found', 404);
    expect(server.heard).toContain('decision.refused');
    expect(await status(server, id)).toBe('pending');
  },
  async A51({ make }) {
    const server = make({
      ciba: { ...app.ciba, requireAcr: true },
      config: { acrValues: ['strong', 'weak'] },
    });
    const id = await asked(server, { acr_values: 'strong' });
    expectError(await decide(server, handleOf(server, id), 'approve'), 'acr_not_met', 403);
    expect(await status(server, id)).toBe('pending');
  },
  async A52({ make }) {
    const server = make({ ...app, config: { scopes: ['openid', 'profile', 'offline_access'] } });
    const id = await asked(server);
    expectError(
      await decide(server, handleOf(server, id), 'approve', 'alice', { scope: 'openid profile' }),
      'invalid_decision',
    );
    await server.approve(id);
    const { body } = await poll(server, id, {
      scope: 'openid profile',
      resource: 'https://elsewhere.example',
    });
    expect(body.scope ?? body.error).toMatch(/^(openid|invalid_target|invalid_scope)$/);
  },
  async A53({ make }) {
    const paged = pages();
    const server = make({ ...paged, ciba: { ...paged.ciba, ...app.ciba } });
    const { id, link } = await linked(server);
    for (const who of ['', 'bob', 'alice']) await open(server, link, who);
    const path = `/ciba/requests/${handleOf(server, id)}/approve`;
    expect((await request(server.app).get(path).set('x-person', 'alice')).status).toBe(405);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const sent = request(server.app)
        .post(path)
        .set({ 'x-person': 'alice', origin: 'https://evil.example' });
      expectError(await sent.set('content-type', type).send('{}'), 'invalid_request', 415);
    }
    expect((await sendForm(server, link, { verdict: 'approve' })).status).toBe(403);
    expect(await status(server, id)).toBe('pending');
  },
  async A54({ make }) {
    const server = make(app);
    const id = await asked(server);
    for (const verdict of ['approve', 'deny', 'report']) {
      expectError(await decide(server, id, verdict), 'not_found', 404);
    }
    expect(await status(server, id)).toBe('pending');
  },
  async A55({ unlimited }) {
    const server = unlimited(app);
    const [one, two, three, four] = [
      await asked(server),
      await asked(server),
      await asked(server),
      await asked(server),
    ];
    const decided = async (id: string, verdict: string) => {
      const { status: code, body } = await decide(server, handleOf(server, id), verdict);
      return [code, body.outcome];
    };
    expect(await decided(one, 'deny')).toEqual([200, 'denied']);
    expect(await decided(one, 'approve')).toEqual([409, 'denied']);
    expect(await decided(two, 'approve')).toEqual([200, 'approved']);
    expect(await decided(two, 'deny')).toEqual([409, 'approved']);
    await decided(three, 'approve');
    expect((await poll(server, three)).status).toBe(200);
    expect(await decided(three, 'deny')).toEqual([409, 'approved']);
    server.advance(301);
    expect(await decided(four, 'approve')).toEqual([410, 'expired']);
    expectError(await poll(server, one), 'access_denied');
  },
  async A56({ make }) {
    const key = await makeDpopKey();
    const bound = pollClient('bound', { dpop_bound_access_tokens: true });
    const server = make({
      config: { clients: [pollClient('till'), bound] },
      features: { dPoP: { enabled: true } },
    });
    const by = { client: 'bound' };
    const id = await asked(server, {}, by);
    await server.approve(id);
    const redeem = (headers: Record<string, string> = {}) => poll(server, id, {}, { ...by, headers });
    expect((await redeem()).body.error).toMatch(/^invalid_(dpop_proof|request|grant)$/);
    expectError(
      await redeem(await key.atToken({ claims: { htu: 'https://evil.example/token' } })),
      'invalid_dpop_proof',
    );
    const pending = await asked(server, {}, by);
    const used = await key.atToken();
    expectError(await poll(server, pending, {}, { ...by, headers: used }), 'authorization_pending');
    expectError(await redeem(used), 'invalid_dpop_proof');
    expect((await redeem(await key.atToken())).body.token_type).toBe('DPoP');
  },
  async A58({ make }) {
    const [one, other] = [make(), make()];
    const id = await approved(one);
    expectError(await poll(other, id), 'invalid_grant');
    expect((await poll(one, id)).status).toBe(200);
  },
  async A59({ make }) {
    const authTime = Math.floor(Date.now() / 1000) - 7;
    const server = make({ config: { claims: { openid: ['sub', 'auth_time'] } } });
    const id = await asked(server, { requested_expiry: '600', max_age: '0' });
    await server.approve(id, { authTime });
    server.advance(540);
    const { body } = await poll(server, id);
    const claims = JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url').toString());
    expect(claims.auth_time).toBe(authTime);
  },
});
