import { gzipSync } from 'node:zlib';
import type { ErrorRequestHandler } from 'express';
import type { Decider } from 'oidc-provider-ciba';
import request, { type Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import { type Make, onEveryStore } from '../support/every-store.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import { ask, asked, type PluginServer, poll } from '../support/server.js';

const acrConfig = {
  acrValues: ['urn:example:pin'],
  claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], profile: ['name'] },
};

/** The person is who a header says, signed in with a PIN. */
const authenticateDecision = (req: { headers: Record<string, unknown> }): Decider | undefined => {
  const accountId = req.headers['x-signed-in'];
  return typeof accountId === 'string'
    ? { accountId, acr: 'urn:example:pin', amr: ['pin'], authTime: 1_700_000_000 }
    : undefined;
};

const withDecider = (make: Make, options: Parameters<Make>[0] = {}): PluginServer =>
  make({ ...options, ciba: { authenticateDecision, ...options.ciba } });

const PATH = '/ciba/requests';

/** A call of the person's app. */
async function call(
  server: PluginServer,
  method: 'get' | 'post',
  path: string,
  { as, body, type = 'application/json' }: { as?: string; body?: string | object; type?: string } = {},
): Promise<Response> {
  const sent = request(server.app)[method](`${server.mount}${PATH}${path}`);
  if (as !== undefined) sent.set('x-signed-in', as);
  if (method === 'get') return sent;
  return sent.set('content-type', type).send(body ?? {});
}

const handleOf = (server: PluginServer, authReqId: string): string =>
  server.ciba.requests.handleOf(authReqId);

onEveryStore('what is pending for a person', (make) => {
  it('is listed for that person alone, and shows what is asked for [UX-2] [UX-3]', async () => {
    const server = withDecider(make);
    const authReqId = await asked(server, {
      binding_message: 'Pay 12.50 EUR to ACME',
      scope: 'openid profile',
    });
    const mine = await call(server, 'get', '', { as: 'alice' });
    expect(mine.status).toBe(200);
    expect(mine.headers['cache-control']).toContain('no-store');
    expect(mine.body).toEqual({
      requests: [
        {
          handle: handleOf(server, authReqId),
          status: 'pending',
          client_id: 'till',
          client_name: 'The till',
          scope: 'openid profile',
          binding_message: 'Pay 12.50 EUR to ACME',
          acr_values: [],
          authorization_details: [],
          resources: [],
          claims: [],
          number_matching: false,
          expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          expires_in: expect.any(Number),
        },
      ],
    });
    expect((await call(server, 'get', '', { as: 'bob' })).body).toEqual({ requests: [] });
  });

  it('can be looked at one by one, by the person it is for', async () => {
    const server = withDecider(make);
    const handle = handleOf(server, await asked(server));
    expect((await call(server, 'get', `/${handle}`, { as: 'alice' })).body).toMatchObject({
      handle,
      status: 'pending',
    });
    const others = await call(server, 'get', `/${handle}`, { as: 'bob' });
    const none = await call(server, 'get', '/AAAAAAAAAAAAAAAAAAAAAA', { as: 'bob' });
    expect(others.status).toBe(404);
    expect(others.body).toEqual({ error: 'not_found', error_description: 'there is no such request' });
    expect(none.body).toEqual(others.body);
  });

  it('is told with its outcome after the decision, and is not in the list then', async () => {
    const server = withDecider(make);
    const handle = handleOf(server, await asked(server));
    await call(server, 'post', `/${handle}/approve`, { as: 'alice' });
    expect((await call(server, 'get', `/${handle}`, { as: 'alice' })).body.status).toBe('approved');
    expect((await call(server, 'get', '', { as: 'alice' })).body.requests).toEqual([]);
  });
});

onEveryStore('a decision over HTTP', (make) => {
  it('approves, and what authenticated the person is in the ID Token [UX-1] [UX-7]', async () => {
    const server = withDecider(make, { config: acrConfig });
    const authReqId = await asked(server, { acr_values: 'urn:example:pin' });
    const approved = await call(server, 'post', `/${handleOf(server, authReqId)}/approve`, { as: 'alice' });
    expect({ status: approved.status, body: approved.body }).toEqual({
      status: 200,
      body: { outcome: 'approved' },
    });
    const { id_token: idToken } = (await poll(server, authReqId)).body;
    const claims = JSON.parse(Buffer.from(idToken.split('.')[1], 'base64url').toString());
    expect(claims).toMatchObject({
      sub: 'alice',
      acr: 'urn:example:pin',
      amr: ['pin'],
      auth_time: 1_700_000_000,
    });
  });

  it('approves a part of the scope, and nothing beyond it', async () => {
    const server = withDecider(make);
    const authReqId = await asked(server, { scope: 'openid profile' });
    const path = `/${handleOf(server, authReqId)}/approve`;
    for (const scope of ['openid profile email', 'profile', '']) {
      const refused = await call(server, 'post', path, { as: 'alice', body: { scope } });
      expect({ status: refused.status, error: refused.body.error }).toEqual({
        status: 400,
        error: 'invalid_decision',
      });
      expectErrorEnvelope(refused);
    }
    expect((await call(server, 'post', path, { as: 'alice', body: { scope: 'openid' } })).status).toBe(200);
    expect((await poll(server, authReqId)).body.scope).toBe('openid');
  });

  it('denies with a description that the client reads', async () => {
    const server = withDecider(make);
    const authReqId = await asked(server);
    const path = `/${handleOf(server, authReqId)}/deny`;
    const denied = await call(server, 'post', path, { as: 'alice', body: { description: 'not my order' } });
    expect({ status: denied.status, body: denied.body }).toEqual({
      status: 200,
      body: { outcome: 'denied' },
    });
    expect((await poll(server, authReqId)).body).toEqual({
      error: 'access_denied',
      error_description: 'not my order',
    });
  });

  it('denies with an empty description, of which the client reads nothing', async () => {
    const server = withDecider(make);
    const authReqId = await asked(server);
    const handle = handleOf(server, authReqId);
    await server.ciba.requests.deny(handle, { accountId: 'alice', error: 'consent_denied', description: '' });
    expect((await poll(server, authReqId)).body).toEqual({ error: 'consent_denied' });
  });

  it('is refused with the outcome that stands when it comes second: 409 [UX-4]', async () => {
    const server = withDecider(make);
    const handle = handleOf(server, await asked(server));
    await call(server, 'post', `/${handle}/deny`, { as: 'alice' });
    for (const decision of ['approve', 'deny']) {
      const late = await call(server, 'post', `/${handle}/${decision}`, { as: 'alice' });
      expect(late.status).toBe(409);
      expect(late.body).toEqual({
        error: 'already_decided',
        error_description: 'the request has already been denied',
        outcome: 'denied',
      });
    }
  });

  it('is refused when it comes late: 410 [UX-5]', async () => {
    const server = withDecider(make);
    const handle = handleOf(server, await asked(server, { requested_expiry: '10' }));
    server.advance(12);
    const late = await call(server, 'post', `/${handle}/approve`, { as: 'alice' });
    expect(late.status).toBe(410);
    expect(late.body).toMatchObject({ error: 'expired', outcome: 'expired' });
  });

  it('of somebody else is answered as for no request, which stays pending: 404 [UX-3]', async () => {
    const server = withDecider(make);
    const authReqId = await asked(server);
    for (const decision of ['approve', 'deny', 'report']) {
      const path = `/${handleOf(server, authReqId)}/${decision}`;
      const refused = await call(server, 'post', path, { as: 'bob' });
      expect(refused.status).toBe(404);
      expect(refused.body).toEqual({ error: 'not_found', error_description: 'there is no such request' });
    }
    expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
  });

  it('of nobody is refused before anything is looked at: 401', async () => {
    const server = withDecider(make);
    const authReqId = await asked(server);
    const handle = handleOf(server, authReqId);
    const answers = [
      await call(server, 'get', ''),
      await call(server, 'get', `/${handle}`),
      await call(server, 'post', `/${handle}/approve`),
      await call(server, 'post', `/${handle}/deny`),
      await call(server, 'post', `/${handle}/report`),
    ];
    for (const answer of answers) {
      expect({ status: answer.status, error: answer.body.error }).toEqual({
        status: 401,
        error: 'login_required',
      });
      expectErrorEnvelope(answer);
    }
    expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x'])(
    'in a type that another site can send is refused: 415 for %s',
    async (type) => {
      const server = withDecider(make);
      const authReqId = await asked(server);
      const path = `/${handleOf(server, authReqId)}/approve`;
      const refused = await call(server, 'post', path, { as: 'alice', body: '{"scope":"openid"}', type });
      expect({ status: refused.status, error: refused.body.error }).toEqual({
        status: 415,
        error: 'invalid_request',
      });
      expectErrorEnvelope(refused);
      expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
    },
  );

  it.each([
    ['broken JSON', '{"scope":', 'invalid_request'],
    ['a list', '[]', 'invalid_decision'],
    ['a scope that is no text', '{"scope":["openid"]}', 'invalid_decision'],
  ])('with %s is refused: 400', async (_what, body, error) => {
    const server = withDecider(make);
    const authReqId = await asked(server);
    const refused = await call(server, 'post', `/${handleOf(server, authReqId)}/approve`, {
      as: 'alice',
      body,
    });
    expect({ status: refused.status, error: refused.body.error }).toEqual({ status: 400, error });
    expectErrorEnvelope(refused);
    expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
  });

  it('with a description that is too long is refused: 400', async () => {
    const server = withDecider(make);
    const path = `/${handleOf(server, await asked(server))}/deny`;
    const body = { description: 'x'.repeat(257) };
    expect((await call(server, 'post', path, { as: 'alice', body })).status).toBe(400);
  });

  it('with a body that is too large is refused: 413', async () => {
    const server = withDecider(make);
    const path = `/${handleOf(server, await asked(server))}/deny`;
    const body = { description: 'x'.repeat(20_000) };
    const refused = await call(server, 'post', path, { as: 'alice', body });
    expect({ status: refused.status, body: refused.body }).toEqual({
      status: 413,
      body: { error: 'invalid_request', error_description: 'the body is too large' },
    });
    expectErrorEnvelope(refused);
  });

  it('with a body that is compressed is refused, whether that can be read or not: 415', async () => {
    const server = withDecider(make);
    const path = `${PATH}/${handleOf(server, await asked(server))}/approve`;
    for (const body of [gzipSync('{"scope":"openid"}'), Buffer.from('no gzip')]) {
      const sent = request(server.app).post(path).set({ 'x-signed-in': 'alice', 'content-encoding': 'gzip' });
      const refused = await sent
        .set('content-type', 'application/json')
        .serialize((bytes: unknown) => bytes as string)
        .send(body as never);
      expect({ status: refused.status, error: refused.body.error }).toEqual({
        status: 415,
        error: 'invalid_request',
      });
      expectErrorEnvelope(refused);
    }
  });

  it('about a handle that is badly encoded is answered as about none, without a stack: 404', async () => {
    const server = withDecider(make);
    for (const answer of [
      await call(server, 'get', '/%ff', { as: 'alice' }),
      await call(server, 'post', '/%ff/approve', { as: 'alice' }),
    ]) {
      expect({ status: answer.status, error: answer.body.error }).toEqual({
        status: 404,
        error: 'not_found',
      });
      expectErrorEnvelope(answer);
    }
  });

  it('below the acr that the server insists on is refused: 403', async () => {
    const server = withDecider(make, { ciba: { requireAcr: true } });
    const authReqId = await asked(server, { acr_values: 'urn:example:passkey' });
    const refused = await call(server, 'post', `/${handleOf(server, authReqId)}/approve`, { as: 'alice' });
    expect({ status: refused.status, error: refused.body.error }).toEqual({
      status: 403,
      error: 'acr_not_met',
    });
    expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
  });

  it('never reads the auth_req_id, in no answer and as no handle', async () => {
    const server = withDecider(make);
    const authReqId = await asked(server, { binding_message: 'W4SCT' });
    const handle = handleOf(server, authReqId);
    const answers = [
      await call(server, 'get', '', { as: 'alice' }),
      await call(server, 'get', `/${handle}`, { as: 'alice' }),
      await call(server, 'get', `/${handle}`, { as: 'bob' }),
      await call(server, 'get', `/${authReqId}`, { as: 'alice' }),
      await call(server, 'post', `/${authReqId}/approve`, { as: 'alice' }),
      await call(server, 'post', `/${handle}/approve`, { as: 'alice' }),
      await call(server, 'post', `/${handle}/deny`, { as: 'alice' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 404, 404, 200, 409]);
    for (const { text, headers } of answers) expect(text + JSON.stringify(headers)).not.toContain(authReqId);
  });
});

const matching = { clients: [pollClient('till', { ciba_number_matching: true })] };

onEveryStore('a number on the asking screen', (make) => {
  it('is given with the approval, as text', async () => {
    const server = withDecider(make, { config: matching });
    const { auth_req_id: authReqId, matching_number: number } = (await ask(server)).body;
    const path = `/${handleOf(server, authReqId)}`;
    expect((await call(server, 'get', path, { as: 'alice' })).body.number_matching).toBe(true);
    for (const body of [{}, { number: Number(number) }, { number: 'ab' }]) {
      const refused = await call(server, 'post', `${path}/approve`, { as: 'alice', body });
      expect({ status: refused.status, error: refused.body.error }).toEqual({
        status: 400,
        error: 'invalid_decision',
      });
    }
    const approved = await call(server, 'post', `${path}/approve`, { as: 'alice', body: { number } });
    expect({ status: approved.status, body: approved.body }).toEqual({
      status: 200,
      body: { outcome: 'approved' },
    });
  });

  it('that is another one denies: 403 with the outcome', async () => {
    const server = withDecider(make, { config: matching });
    const { auth_req_id: authReqId, matching_number: number } = (await ask(server)).body;
    const path = `/${handleOf(server, authReqId)}/approve`;
    const body = { number: number === '42' ? '43' : '42' };
    const refused = await call(server, 'post', path, { as: 'alice', body });
    expect({ status: refused.status, ...refused.body }).toMatchObject({
      status: 403,
      error: 'wrong_number',
      outcome: 'denied',
    });
    expect((await poll(server, authReqId)).body.error).toBe('access_denied');
  });
});

onEveryStore('what a person did not start', (make) => {
  it('is denied by a report, and its client may not ask again [SEC-2]', async () => {
    const server = withDecider(make);
    const authReqId = await asked(server);
    const path = `/${handleOf(server, authReqId)}/report`;
    const reported = await call(server, 'post', path, { as: 'alice' });
    expect({ status: reported.status, body: reported.body }).toEqual({
      status: 200,
      body: { outcome: 'reported' },
    });
    expect((await poll(server, authReqId)).body.error).toBe('access_denied');
    expect((await ask(server)).status).toBe(403);
  });
});

onEveryStore('an error of the server’s own, met while it says who is asking,', (make) => {
  it('is the server’s to answer, and not told as a wrong body', async () => {
    const server = make({
      ciba: {
        authenticateDecision: () => {
          throw Object.assign(new Error('a second factor is needed'), { status: 403 });
        },
      },
    });
    server.app.use(((error, _req, res, _next) => {
      res.status(error.status).json({ said: error.message });
    }) as ErrorRequestHandler);
    const answer = await request(server.app).get('/ciba/requests');
    expect({ status: answer.status, body: answer.body }).toEqual({
      status: 403,
      body: { said: 'a second factor is needed' },
    });
  });
});

onEveryStore('where the decision endpoints are', (make) => {
  it.each([
    ['post', '', 'GET'],
    ['put', '/handle', 'GET'],
    ['get', '/handle/approve', 'POST'],
    ['delete', '/handle/deny', 'POST'],
    ['patch', '/handle/report', 'POST'],
  ] as const)('%s %s is told the method that is allowed', async (method, path, allowed) => {
    const { app } = withDecider(make);
    const answer = await request(app)[method](`/ciba/requests${path}`).set('x-account', 'alice');
    expect(answer.status).toBe(405);
    expect(answer.headers).toMatchObject({ allow: allowed, 'cache-control': 'no-store' });
    expect(answer.body).toEqual({
      error: 'invalid_request',
      error_description: `only ${allowed} is allowed`,
    });
  });

  it('nowhere, when the server does not say who is asking', async () => {
    const server = make();
    const handle = handleOf(server, await asked(server));
    expect((await call(server, 'get', '', { as: 'alice' })).status).toBe(404);
    expect((await call(server, 'post', `/${handle}/approve`, { as: 'alice' })).status).toBe(404);
    expect((await server.ciba.requests.get(handle))?.status).toBe('pending');
  });

  it('below the path that the router is mounted on, with the rest', async () => {
    const server = withDecider(make, { mount: '/oidc' });
    const authReqId = await asked(server);
    const handle = handleOf(server, authReqId);
    expect((await request(server.app).get('/oidc/backchannel')).status).toBe(405);
    expect((await call(server, 'get', '', { as: 'alice' })).body.requests.length).toBe(1);
    expect((await call(server, 'post', `/${handle}/approve`, { as: 'alice' })).status).toBe(200);
    expect((await poll(server, authReqId)).status).toBe(200);
  });

  it('where decisionPath says', async () => {
    const server = withDecider(make, { ciba: { decisionPath: '/phone/prompts' } });
    await asked(server);
    const answer = await request(server.app).get('/phone/prompts').set('x-signed-in', 'alice');
    expect(answer.body.requests.length).toBe(1);
    expect((await call(server, 'get', '', { as: 'alice' })).status).toBe(404);
  });
});
