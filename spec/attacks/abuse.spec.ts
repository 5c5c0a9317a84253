import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { errors } from 'oidc-provider';
import request from 'supertest';
import { pollClient } from '../support/configuration.js';
import { ask, asked, BACKCHANNEL, basic, formOf, poll, post, TOKEN } from '../support/server.js';
import { until } from '../support/until.js';
import { attackSpecs, expectError } from './attack-specs.js';
import { Connection, sendRaw } from './fuzz/connection.js';

const clients = ['till', 'kiosk', 'shop', 'web2'].map((id) => pollClient(id));
const refusedAs = (answer: { status: number; body: { error?: string } }) => [
  answer.status,
  answer.body.error,
];

attackSpecs('Abuse, denial of service, injection, leakage', {
  async A80({ make }) {
    const server = make();
    const scopes = Array.from({ length: 10_000 }, (_, at) => `s${at}`).join(' ');
    for (const scope of ['x'.repeat(40_000), scopes, `openid ${'"'.repeat(40_000)}`]) {
      const answer = await ask(server, { scope });
      expect([400, 413]).toContain(answer.status);
      expectError(answer, answer.body.error, answer.status);
    }
    const large = await ask(server, { foo: 'x'.repeat(57 * 1024) });
    expect([400, 413]).toContain(large.status);
    expectError(large, 'invalid_request', large.status);
    expect(await server.ciba.requests.list('alice')).toEqual([]);
    expect((await ask(server, { foo: 'x'.repeat(50 * 1024) })).status).toBe(200);
  },
  async A81({ make }) {
    const server = make({ ciba: { limits: { pendingPerClient: 2 } } });
    await asked(server);
    await asked(server, { login_hint: 'bob' });
    const answer = await ask(server, { login_hint: 'bob' });
    expectError(answer, 'temporarily_unavailable', 429);
    expect(answer.headers['retry-after']).toBe('30');
    expect(server.heard).toContain('request.limited');
    expect((await ask(server, {}, { client: 'kiosk' })).status).toBe(200);
  },
  async A82({ make, refused }) {
    const server = make({ config: { clients }, ciba: { limits: { pendingPerAccount: 3 } } });
    for (const client of ['till', 'kiosk', 'shop']) await asked(server, {}, { client });
    await refused(server, () => ask(server, {}, { client: 'web2' }), { status: 403, error: 'access_denied' });
    expect(await server.ciba.requests.list('alice')).toHaveLength(3);
  },
  async A83({ make }) {
    const server = make({ ciba: { limits: { refusals: 2 } } });
    for (let time = 0; time < 2; time += 1) await server.deny(await asked(server));
    expect(refusedAs(await ask(server))).toEqual([403, 'access_denied']);
    server.advance(601);
    const id = await asked(server);
    await server.ciba.requests.report(server.ciba.requests.handleOf(id), { accountId: 'alice' });
    server.advance(86_400 * 100);
    expect(refusedAs(await ask(server))).toEqual([403, 'access_denied']);
  },
  async A84({ make }) {
    const server = make({ ciba: { limits: { refusals: 2 } } });
    for (let time = 0; time < 2; time += 1) {
      await asked(server);
      server.advance(301);
    }
    expect(refusedAs(await ask(server))).toEqual([403, 'access_denied']);
  },
  async A86({ make }) {
    const before = Reflect.ownKeys(Object.prototype);
    const server = make({
      features: {
        claimsParameter: { enabled: true },
        richAuthorizationRequests: { enabled: true, types: { payment: { validate: () => {} } } } as never,
      },
      config: { clients: [pollClient('till', { authorization_details_types: ['payment'] })] },
      ciba: { limits: false },
    });
    const pollution = '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}';
    const forms = [
      JSON.parse('{"__proto__":"x","constructor":"x","toString":"x","a[b]":"x","__proto__[x]":"1"}'),
      { claims: pollution },
      { request_context: pollution },
      { authorization_details: `[{"type":"payment","__proto__":{"x":1}}]` },
    ] as unknown as Record<string, string>[];
    for (const form of forms) {
      const { status } = await ask(server, form);
      expect([200, 400]).toContain(status);
    }
    expect((await post(server, TOKEN, forms[0] ?? {})).status).toBe(400);
    expect(({} as { x?: unknown }).x).toBe(undefined);
    expect(Reflect.ownKeys(Object.prototype)).toEqual(before);
  },
  async A87({ make, redis }) {
    const server = make();
    const id = await asked(server);
    const client = redis()?.client();
    const keys = async () => ((await client?.keys('*')) ?? []).sort();
    const before = await keys();
    const handle = server.ciba.requests.handleOf(id);
    const wrong = [
      `{${handle}}`,
      '*',
      ':',
      '{x}:account',
      `${handle}`,
      '\r\nDEL x',
      '../..',
      'x'.repeat(10_000),
    ];
    for (const other of wrong) expectError(await poll(server, other), 'invalid_grant');
    expect(await keys()).toEqual(before);
    expectError(await poll(server, id), 'authorization_pending');
  },
  async A88({ unlimited }) {
    const server = unlimited();
    const contexts = [
      '{"a":"]]--\\"\\u0000","b":[1,2.5,null,true],"c":"\u{1F600}"}',
      `{"n":123456789012345678901234567890,"z":1e-7}`,
      '{"a":1,"a":2}',
      `{"a":${'['.repeat(500)}${']'.repeat(500)}}`,
    ];
    for (const context of contexts) {
      const id = await asked(server, { request_context: context });
      const view = await server.ciba.requests.get(server.ciba.requests.handleOf(id));
      expect(view?.requestContext).toEqual(JSON.parse(context));
    }
    const deep = await ask(server, { request_context: `{"a":${'['.repeat(1001)}${']'.repeat(1001)}}` });
    expect([200, 400]).toContain(deep.status);
  },
  async A89({ make }) {
    const prompts: string[] = [];
    const server = make({
      ciba: {
        limits: { pendingPerAccount: 2 },
        interaction: () => undefined,
        channels: [{ name: 'inbox', send: async ({ link }) => void prompts.push(String(link)) }],
      },
    });
    const spoofed = (at: number) => ({
      'x-forwarded-for': `203.0.113.${at}`,
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      forwarded: 'host=evil.example;proto=https',
    });
    for (let at = 0; at < 2; at += 1) {
      expect((await ask(server, {}, { headers: spoofed(at) })).status).toBe(200);
    }
    expect(refusedAs(await ask(server, {}, { headers: spoofed(3) }))).toEqual([403, 'access_denied']);
    await until('both are prompted', () => prompts.length === 2);
    for (const link of prompts) expect(new URL(link).origin).toBe('http://op.example');
    const { text, body } = await request(server.app)
      .get('/.well-known/openid-configuration')
      .set({ host: 'op.example', ...spoofed(4) });
    expect(text).not.toContain('evil');
    expect(body.issuer).toBe('http://op.example');
  },
  async A90({ make }) {
    const server = make();
    const listener = createServer(server.app).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const body = formOf({ scope: 'openid', login_hint: 'alice' });
    const bytesOf = (lines: readonly string[], rest = body): Buffer => {
      const head = [
        'POST /backchannel HTTP/1.1',
        'Host: op.example',
        `Authorization: ${basic('till')}`,
        ...lines,
      ];
      return Buffer.from(`${head.join('\r\n')}\r\n\r\n${rest}`);
    };
    const send = (...message: Parameters<typeof bytesOf>) => sendRaw(port, bytesOf(...message));
    const connection = new Connection(port);
    const form = 'Content-Type: application/x-www-form-urlencoded';
    const length = `Content-Length: ${body.length}`;
    try {
      const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\nGET /ciba/requests HTTP/1.1\r\nHost: x\r\n\r\n`;
      const smuggled = [
        await send([form, length, 'Transfer-Encoding: chunked'], chunked),
        await send([form, length, 'Content-Length: 1']),
        await send([form, length, 'Transfer-Encoding: xchunked']),
        await send([form, ' folded: x', length]),
        await send([form, 'Content-Length: -1']),
        await send([form, 'Transfer-Encoding : chunked'], chunked),
      ];
      for (const { status, last } of smuggled) expect({ status, last }).toEqual({ status: 400, last: true });
      for (const lines of [
        ['Content-Type: application/x-www-form-urlencoded; charset=bogus', length],
        [form, 'Content-Encoding: bogus', length],
      ]) {
        const answer = await connection.send(bytesOf(lines));
        expect([200, 400, 415]).toContain(answer.status);
        if (answer.status !== 200) expect(JSON.parse(answer.body).error).toBe('invalid_request');
      }
    } finally {
      connection.close();
      listener.close();
    }
  },
  async A91({ unlimited }) {
    const server = unlimited();
    const by = (authorization: string) => ({ headers: { authorization } });
    const [wrong, unknown] = [
      await ask(server, {}, by(basic('till', 'wrong'))),
      await ask(server, {}, by(basic('nobody', 'wrong'))),
    ];
    expect(wrong.body).toEqual(unknown.body);
    const headersOf = ({ headers: { date: _, ...headers } }: typeof wrong) => headers;
    expect(headersOf(wrong)).toEqual(headersOf(unknown));
    const id = await asked(server);
    const kiosk = { client: 'kiosk' };
    const [pending, none] = [
      await poll(server, id, {}, kiosk),
      await poll(server, 'x'.repeat(43), {}, kiosk),
    ];
    server.advance(301);
    const expired = await poll(server, id, {}, kiosk);
    server.advance(3600);
    const forgotten = await poll(server, id, {}, kiosk);
    for (const answer of [pending, expired, forgotten]) {
      expect([answer.status, answer.body]).toEqual([none.status, none.body]);
    }
  },
  async A92({ make, redis }) {
    const server = make({
      config: { clients: [pollClient('coder', { backchannel_user_code_parameter: true })] },
    });
    const monitor = await redis()?.client().monitor();
    const seen: string[] = [];
    monitor?.on('monitor', (_time: string, words: string[]) => seen.push(words.join(' ')));
    const by = { client: 'coder' };
    const id = await asked(server, { user_code: '1234', scope: 'openid offline_access' }, by);
    await poll(server, id, {}, by);
    await server.approve(id);
    const { body } = await poll(server, id, {}, by);
    if (monitor) await until('Redis has told', () => seen.length > 0);
    const told = `${seen.join('\n')}\n${inspect(server.events, { depth: 9 })}`;
    for (const secret of [id, body.access_token, body.refresh_token, body.id_token, 'coder-secret']) {
      expect(String(secret).length).toBeGreaterThan(10);
      expect(told).not.toContain(secret);
    }
    expect(told).not.toMatch(/user_code|"1234"/);
    monitor?.disconnect();
  },
  async A93({ make }) {
    const server = make({ ciba: { authenticateDecision: () => ({ accountId: 'alice' }) } });
    for (const path of ['/ciba/deliveries', '/ciba/requests/deliveries', '/ciba/prompts', '/ciba/queue']) {
      for (const method of ['get', 'post'] as const) {
        const { status } = await request(server.app)[method](path).set('host', 'op.example');
        expect([404, 405]).toContain(status);
      }
    }
  },
  async A94({ make }) {
    const server = make();
    const origin = { host: 'op.example', origin: 'https://evil.example' };
    const preflight = await request(server.app)
      .options(BACKCHANNEL)
      .set({ ...origin, 'access-control-request-method': 'POST' });
    expectError(preflight, 'invalid_request', 405);
    const answers = [preflight, await ask(server, {}, { headers: { origin: 'https://evil.example' } })];
    for (const { headers } of answers) {
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  },
  async A95({ make }) {
    const server = make({
      features: { registration: { enabled: true } },
      config: { subjectTypes: ['public', 'pairwise'], pairwiseIdentifier: async () => 'x' },
    });
    const { status, body } = await request(server.app)
      .post('/reg')
      .send({ ...pollClient('x'), client_id: undefined, client_secret: undefined, subject_type: 'pairwise' });
    expect([status, body.error]).toEqual([400, 'invalid_client_metadata']);
  },
  async A96({ make, refused }) {
    const server = make({
      hooks: {
        validateRequestContext: (_ctx, context) => {
          const device = (JSON.parse(context ?? '{}') as { device?: string }).device;
          if (device === 'phone-of-alice') throw new errors.InvalidRequest('this is the device that decides');
        },
      },
      ciba: { authenticateDecision: () => ({ accountId: 'alice' }) },
    });
    const from = (device: string) => ask(server, { request_context: JSON.stringify({ device }) });
    await refused(server, () => from('phone-of-alice'), 'invalid_request');
    expect((await from('till-7')).status).toBe(200);
    const { body } = await request(server.app).get('/ciba/requests');
    expect(body.requests[0].request_context).toEqual({ device: 'till-7' });
  },
});
