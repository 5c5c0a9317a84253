import { createCiba } from 'oidc-provider-ciba';
import request, { type Response } from 'supertest';
import { CIBA_GRANT } from '../support/configuration.js';
import { type Make, onEveryStore } from '../support/every-store.js';
import { startReceiver } from '../support/receiver.js';
import { startRedis } from '../support/redis-server.js';
import { BACKCHANNEL, type PluginServer, pluginServer, TOKEN } from '../support/server.js';
import { until } from '../support/until.js';
import {
  bodyOf,
  DIALECT,
  dialect,
  formOf,
  HOST,
  myClient,
  sendForm,
  sendJson,
  strict,
} from './dialect-server.js';
import { M1, M2, M4, M6 } from './tutorial-messages.js';

const ALIAS = '/ciba/auth';
const APPROVED = { 'my-client': { secret: 'supersecret', subject: 'alice' } };

const outcome = ({ status, body }: Response): object => ({ status, error: body.error });

const refused = (status: number, error: string): object => ({ status, error });
const accepted = { status: 200, error: undefined };

/** Asks as the tutorial does, and is acknowledged. */
async function asked(server: PluginServer, other: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await sendForm(server, ALIAS, formOf(M2, other));
  expect(outcome(answer)).toEqual(accepted);
  return answer.body.auth_req_id;
}

const polled = (server: PluginServer, id: string): Promise<Response> =>
  sendForm(server, TOKEN, formOf(M4, { auth_req_id: id }));

const uses = ({ events }: PluginServer): unknown[] =>
  events.filter(({ name }) => name === 'compat.used').map(({ event }) => (event as { what: string }).what);

onEveryStore('a registration of the tutorial', (make) => {
  it('[SD-1] names the smart home device with its own words, and gets the standard’s [D-8] [D-10] [D-14] [D-15]', async () => {
    expect(outcome(await sendJson(strict(make), '/reg', bodyOf(M6)))).toEqual(
      refused(400, 'invalid_client_metadata'),
    );
    const server = dialect(make);
    for (const path of ['/register', '/reg']) {
      const { status, headers, body } = await sendJson(server, path, bodyOf(M6));
      expect({ status, error: body.error_description }).toEqual({ status: 201, error: undefined });
      expect(body).toMatchObject({
        client_id: 'smart-home-device',
        client_secret: 'device-secret',
        grant_types: [CIBA_GRANT],
        response_types: [],
        redirect_uris: ['https://device.example.com/callback'],
        backchannel_token_delivery_mode: 'poll',
        token_endpoint_auth_method: 'client_secret_post',
        subject_type: 'public',
        scope: 'openid profile',
        ciba_compat: true,
      });
      expect(body).not.toHaveProperty('token_endpoint');
      expect(body).not.toHaveProperty('backchannel_authentication_endpoint');
      expect(body).not.toHaveProperty('ciba_compat_subject');
      expect(JSON.stringify(body)).not.toMatch(/implicit|ietf/);
      expect(headers['cache-control']).toContain('no-store');
      expect(headers['deprecation']).toBe('@1630454400');
    }
    expect(uses(server)).toEqual(['registration', 'registration']);
  });

  it.each([
    ['nobody has approved', {}],
    ['was approved with another secret', { 'smart-home-device': { secret: 'another', subject: 'alice' } }],
    ['has the id of an approved one only', { 'my-client': { secret: 'device-secret' } }],
  ])('[SD-2] that %s never gets the id it asks for [D-4] [D-5] [D-13]', async (_what, preapproved) => {
    const server = dialect(make, [], {}, { preapproved });
    expect(outcome(await sendJson(server, '/register', bodyOf(M6)))).toEqual(refused(403, 'access_denied'));
    expect(outcome(await sendJson(strict(make), '/reg', bodyOf(M6)))).toEqual(
      refused(400, 'invalid_client_metadata'),
    );
    expect(await server.provider.Client.find('smart-home-device')).toBeUndefined();
  });

  it('[SD-3] of the document is accepted, with the code flow beside CIBA [D-7] [D-9] [D-11]', async () => {
    expect(outcome(await sendJson(strict(make, []), '/reg', M1))).toEqual(
      refused(400, 'invalid_client_metadata'),
    );
    const { status, body } = await sendJson(
      dialect(make, [], {}, { preapproved: APPROVED }),
      '/register',
      M1,
    );
    expect({ status, body }).toMatchObject({
      status: 201,
      body: {
        client_id: 'my-client',
        grant_types: ['authorization_code', CIBA_GRANT],
        response_types: ['code'],
        backchannel_token_delivery_mode: 'poll',
      },
    });
  });

  it('takes no id that somebody else has', async () => {
    const approved = { preapproved: { till: { secret: 'device-secret' }, ...APPROVED } };
    const other = { redirect_uris: ['https://other.example/callback'] };
    const server = dialect(make, [myClient({ ...DIALECT, ...other })], {}, approved);
    const answer = await sendJson(server, '/register', bodyOf(M6).replace('"smart-home-device"', '"till"'));
    expect(outcome(answer)).toEqual(refused(400, 'invalid_client_metadata'));
    expect(answer.body.error_description).toContain('client_id is taken');
    // Nor its own one with other metadata than it has.
    expect((await sendJson(server, '/register', M1)).body.error_description).toContain('redirect_uris');
    expect((await server.provider.Client.find('till'))?.clientSecret).toBe('till-secret');
  });

  it.each(['token_endpoint', 'backchannel_authentication_endpoint'])(
    '[SD-21] with a %s of another server is refused by its name where they are verified [D-2] [D-3] [D-66]',
    async (member) => {
      const own = bodyOf(M6).replaceAll('https://as.example.com', `http://${HOST}`);
      const foreign = own.replace(
        new RegExp(`("${member}": ")[^"]+`),
        '$1https://elsewhere.example/endpoint',
      );
      const server = dialect(make, [], {}, { opEndpoints: 'verify' });
      const answer = await sendJson(server, '/register', foreign);
      expect(outcome(answer)).toEqual(refused(400, 'invalid_client_metadata'));
      expect(answer.body.error_description).toContain(member);
      expect((await sendJson(server, '/register', own)).status).toBe(201);
      expect((await sendJson(strict(make), '/reg', foreign)).status).toBe(400);
    },
  );
});

onEveryStore('an authentication request of the tutorial', (make) => {
  it('[SD-4] is acknowledged at the tutorial’s path [D-18] [D-19] [D-22] [D-25] [D-29]', async () => {
    expect((await sendForm(strict(make), ALIAS, formOf(M2))).status).toBe(404);
    const server = dialect(make);
    const { status, headers, body } = await sendForm(server, ALIAS, formOf(M2));
    expect({ status, body }).toEqual({
      status: 200,
      body: { auth_req_id: expect.stringMatching(/^[\w-]{43}$/), expires_in: 3600, interval: 5 },
    });
    expect(headers['cache-control']).toContain('no-store');
    expect(headers['deprecation']).toBe('@1630454400');
    const [pending] = await server.ciba.requests.list('alice');
    expect(pending).toMatchObject({
      bindingMessage: 'Please authenticate for my-client',
      accountId: 'alice',
    });
    expect(uses(server)).toEqual(['implied_hint', 'user_code', 'endpoint_alias']);
  });

  it('[SD-5] is acknowledged at the server’s own path [D-21] [D-23] [D-28]', async () => {
    expect(outcome(await sendForm(strict(make), BACKCHANNEL, formOf(M2)))).toEqual(
      refused(400, 'invalid_request'),
    );
    expect(outcome(await sendForm(dialect(make), BACKCHANNEL, formOf(M2)))).toEqual(accepted);
  });

  it('[SD-6] lacks nothing but the hint [D-16] [D-24] [D-26]', async () => {
    const withHint = formOf(M2, { login_hint: 'alice' });
    const client = myClient({ backchannel_user_code_parameter: true });
    expect(outcome(await sendForm(strict(make, [client]), BACKCHANNEL, withHint))).toEqual(accepted);
    expect(outcome(await sendForm(dialect(make), BACKCHANNEL, withHint))).toEqual(accepted);
  });

  it('[SD-7] has nobody to ask where no subject is bound to the client [D-23]', async () => {
    const server = dialect(make, [myClient({ ciba_compat: true })]);
    const expected = refused(400, 'invalid_request');
    expect(outcome(await sendForm(server, ALIAS, formOf(M2)))).toEqual(expected);
    expect(outcome(await sendForm(strict(make), BACKCHANNEL, formOf(M2)))).toEqual(expected);
  });

  it('[SD-8] prompts nobody with a wrong code, or none [D-16] [D-26]', async () => {
    expect((await sendForm(strict(make), BACKCHANNEL, formOf(M2, { user_code: 'wrong' }))).status).toBe(400);
    const server = dialect(make);
    expect(outcome(await sendForm(server, ALIAS, formOf(M2, { user_code: 'wrong' })))).toEqual(
      refused(400, 'invalid_user_code'),
    );
    expect(outcome(await sendForm(server, ALIAS, formOf(M2).replace('&user_code=abc123', '')))).toEqual(
      refused(400, 'missing_user_code'),
    );
    expect(server.heard).not.toContain('request.accepted');
  });

  it('[SD-9] may have each parameter on a line of its own [D-20]', async () => {
    expect(outcome(await sendForm(strict(make), BACKCHANNEL, bodyOf(M2)))).toEqual(
      refused(401, 'invalid_client'),
    );
    const server = dialect(make);
    for (const body of [bodyOf(M2), `${bodyOf(M2)}\n`, bodyOf(M2).replaceAll('\n', '\r\n')]) {
      expect(outcome(await sendForm(server, ALIAS, body))).toEqual(accepted);
    }
    expect(uses(server)).toContain('form_newlines');
  });

  it('[SD-10] needs openid in its scope [D-51]', async () => {
    const form = formOf(M2, { scope: 'profile' });
    const expected = refused(400, 'invalid_request');
    expect(outcome(await sendForm(strict(make), BACKCHANNEL, form))).toEqual(expected);
    expect(outcome(await sendForm(dialect(make), ALIAS, form))).toEqual(expected);
  });

  it('keeps its percent-encoded newlines, which belong to a value [D-20]', async () => {
    const server = dialect(make);
    const answer = await sendForm(server, ALIAS, formOf(M2, { binding_message: 'one\ntwo' }));
    expect(outcome(answer)).toEqual(refused(400, 'invalid_binding_message'));
  });

  it('may not have two hints, and its own goes before the one that is bound to it [D-23]', async () => {
    const server = dialect(make);
    const two = formOf(M2, { login_hint: 'alice', login_hint_token: 'a.b.c' });
    expect(outcome(await sendForm(server, ALIAS, two))).toEqual(refused(400, 'invalid_request'));
    const bob = await sendForm(server, ALIAS, formOf(M2, { login_hint: 'bob' }));
    expect(outcome(bob)).toEqual(refused(400, 'invalid_user_code'));
  });

  it('needs the right secret [D-62]', async () => {
    const server = dialect(make);
    expect(outcome(await sendForm(server, ALIAS, formOf(M2, { client_secret: 'wrong' })))).toEqual(
      refused(401, 'invalid_client'),
    );
  });
});

onEveryStore('a poll of the tutorial', (make) => {
  const strictly = async (server: PluginServer): Promise<string> => {
    const { body } = await sendForm(server, BACKCHANNEL, formOf(M2, { login_hint: 'alice' }));
    return body.auth_req_id;
  };
  const unsupported = refused(400, 'unsupported_grant_type');

  it('[SD-13] is answered that the request pends [D-39] [D-40] [D-41] [D-42] [D-43] [D-49]', async () => {
    const server = strict(make);
    expect(outcome(await polled(server, await strictly(server)))).toEqual(unsupported);
    const open = dialect(make);
    const answer = await polled(open, await asked(open));
    expect(outcome(answer)).toEqual(refused(400, 'authorization_pending'));
    expect(uses(open)).toContain('grant_alias');
  });

  it('[SD-14] gets the tokens once [D-45] [D-47] [D-48] [D-63]', async () => {
    const server = strict(make);
    const id = await strictly(server);
    await server.approve(id);
    expect(outcome(await polled(server, id))).toEqual(unsupported);
    expect(outcome(await polled(server, id))).toEqual(unsupported);

    const open = dialect(make);
    const mine = await asked(open);
    await open.approve(mine);
    const { status, headers, body } = await polled(open, mine);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: {
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 3600,
        id_token: expect.stringMatching(/^eyJ/),
      },
    });
    expect(headers['cache-control']).toContain('no-store');
    expect(outcome(await polled(open, mine))).toEqual(refused(400, 'invalid_grant'));
  });

  it('signs the ID Token with RS256 and names the key [D-46]', async () => {
    const server = dialect(make);
    const id = await asked(server);
    await server.approve(id);
    const [head = ''] = (await polled(server, id)).body.id_token.split('.');
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toMatchObject({
      alg: 'RS256',
      kid: expect.any(String),
    });
  });

  it('[SD-15] with the tutorial’s own auth_req_id finds nothing [D-34]', async () => {
    expect(outcome(await sendForm(strict(make), TOKEN, formOf(M4)))).toEqual(unsupported);
    expect(outcome(await sendForm(dialect(make), TOKEN, formOf(M4)))).toEqual(refused(400, 'invalid_grant'));
  });

  it('[SD-16] every second is told to slow down, as every client is [D-50]', async () => {
    const open = dialect(make);
    const id = await asked(open);
    const errors: string[] = [];
    for (let second = 0; second < 3; second++) {
      errors.push((await polled(open, id)).body.error);
      open.advance(1);
    }
    expect(errors).toEqual(['authorization_pending', 'slow_down', 'slow_down']);
    // Two warnings added ten seconds to the interval of five.
    open.advance(15);
    expect((await polled(open, id)).body.error).toBe('authorization_pending');
  });

  it('withdraws the request where it is sent to the address for that', async () => {
    const open = dialect(make);
    const id = await asked(open);
    const answer = await sendForm(open, `${BACKCHANNEL}/cancel`, formOf(M4, { auth_req_id: id }));
    expect(answer.status).toBe(204);
  });

  it('[SD-20] is not for a client that is pushed to [D-44]', async () => {
    const push = (more: object) =>
      myClient({
        backchannel_token_delivery_mode: 'push' as 'poll',
        backchannel_client_notification_endpoint: 'https://client.example.com/notify',
        ...more,
      });
    const hooks = { deliveryModes: ['poll', 'push'] as const };
    expect(outcome(await sendForm(strict(make, [push({})], { hooks }), TOKEN, formOf(M4)))).toEqual(
      unsupported,
    );
    expect(outcome(await sendForm(dialect(make, [push(DIALECT)], { hooks }), TOKEN, formOf(M4)))).toEqual(
      refused(400, 'unauthorized_client'),
    );
  });
});

onEveryStore('the status notification of the tutorial', (make) => {
  const told = (server: PluginServer): unknown[] =>
    server.events
      .filter(({ name }) => name === 'compat.told')
      .map(({ event }) => {
        const { status, reason } = event as { status: string; reason: string };
        return `${status} ${reason}`;
      });

  it.each([
    ['approve', 'success'],
    ['deny', 'failure'],
  ] as const)(
    '[SD-11] [SD-12] tells pending, and after %s %s [D-31] [D-32] [D-33] [D-35] [D-36] [D-37]',
    async (decide, end) => {
      const receiver = await startReceiver();
      const server = dialect(make, [myClient({ ...DIALECT, redirect_uris: [receiver.url] })]);
      const id = await asked(server);
      await until('the client heard that it pends', () => told(server).length === 1);
      await server[decide](id);
      await until('the client heard the outcome', () => told(server).length === 2);
      const state = { auth_req_id: id, expires_in: 3600, interval: 5 };
      expect(receiver.received.map(({ body }) => body)).toEqual([
        JSON.stringify({ ...state, status: 'pending' }),
        JSON.stringify({ ...state, status: end }),
      ]);
      for (const { method, headers } of receiver.received) {
        expect({ method, type: headers['content-type'], auth: headers.authorization }).toEqual({
          method: 'POST',
          type: 'application/json',
          auth: undefined,
        });
      }
      await receiver.close();
    },
  );

  it('[SD-11] [SD-12] is not sent by a server that speaks the standard only [D-55]', async () => {
    const receiver = await startReceiver();
    const server = strict(make, [myClient({ redirect_uris: [receiver.url] })]);
    const { body } = await sendForm(server, BACKCHANNEL, formOf(M2, { login_hint: 'alice' }));
    await server.approve(body.auth_req_id);
    expect(
      (await sendForm(server, TOKEN, formOf(M4, { grant_type: CIBA_GRANT, auth_req_id: body.auth_req_id })))
        .status,
    ).toBe(200);
    expect(receiver.connections).toBe(0);
    await receiver.close();
  });

  it('[SD-12] follows no redirect, and is not repeated where it fails [D-38]', async () => {
    const receiver = await startReceiver();
    receiver.answer((response) => response.writeHead(302, { location: `${receiver.url}/elsewhere` }).end());
    const server = dialect(make, [myClient({ ...DIALECT, redirect_uris: [receiver.url] })]);
    const id = await asked(server);
    await server.approve(id);
    await until('both were sent', () => told(server).length === 2);
    expect(told(server)).toEqual(['pending 302', 'success 302']);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/notify', '/notify']);
    expect((await polled(server, id)).status).toBe(200);
    await receiver.close();
  });

  it('carries the token that the client sent to be called with [D-27] [D-32]', async () => {
    const receiver = await startReceiver();
    const server = dialect(make, [myClient({ ...DIALECT, redirect_uris: [receiver.url] })]);
    await asked(server, { client_notification_token: 'token-of-the-client' });
    await until('it was sent', () => told(server).length === 1);
    expect(receiver.received[0]?.headers.authorization).toBe('Bearer token-of-the-client');
    await receiver.close();
  });

  it('goes nowhere but to https, or to this machine where that is allowed [D-64]', async () => {
    const receiver = await startReceiver();
    const options = { ciba: { delivery: { allowLoopback: false } } };
    const server = dialect(make, [myClient({ ...DIALECT, redirect_uris: [receiver.url] })], options);
    await asked(server);
    await until('it was judged', () => told(server).length === 1);
    expect(told(server)).toEqual(['pending refused']);
    expect(receiver.connections).toBe(0);
    await receiver.close();
  });

  it('is not sent where it is switched off', async () => {
    const receiver = await startReceiver();
    const clients = [myClient({ ...DIALECT, redirect_uris: [receiver.url] })];
    const server = dialect(make, clients, {}, { statusNotifications: false });
    const id = await asked(server);
    await server.approve(id);
    expect((await polled(server, id)).status).toBe(200);
    expect(receiver.connections).toBe(0);
    await receiver.close();
  });

  it('tells of a request that nobody has decided, once its time is up [D-36]', async () => {
    const receiver = await startReceiver();
    const server = dialect(make, [myClient({ ...DIALECT, redirect_uris: [receiver.url] })]);
    await asked(server);
    await until('the client heard that it pends', () => told(server).length === 1);
    server.advance(3601);
    await until('the client heard the outcome', () => told(server).length === 2);
    expect(told(server)).toEqual(['pending 204', 'failure 204']);
    await receiver.close();
  });
});

onEveryStore('beside the dialect', (make: Make) => {
  it('[SD-17] a client of it speaks the standard as well [D-1] [D-6]', async () => {
    for (const server of [
      strict(make, [myClient({ backchannel_user_code_parameter: true })]),
      dialect(make),
    ]) {
      const { body } = await sendForm(server, BACKCHANNEL, formOf(M2, { login_hint: 'alice' }));
      await server.approve(body.auth_req_id);
      const form = formOf(M4, { grant_type: CIBA_GRANT, auth_req_id: body.auth_req_id });
      expect((await sendForm(server, TOKEN, form)).status).toBe(200);
    }
  });

  it('[SD-19] discovery says what it says without it [D-7]', async () => {
    const discovery = async (server: PluginServer): Promise<object> =>
      (await request(server.app).get('/.well-known/openid-configuration').set('host', HOST)).body;
    const [without, withIt] = [await discovery(strict(make)), await discovery(dialect(make))];
    expect(withIt).toEqual(without);
    expect(withIt).toMatchObject({ grant_types_supported: expect.arrayContaining([CIBA_GRANT]) });
    expect(JSON.stringify(withIt)).not.toMatch(/ietf:params:oauth:grant-type:ciba|ciba\/auth|\/register/);
  });
});

describe('a status notification about what another process decides', () => {
  it('is sent by the process that acknowledged the request [D-36]', async () => {
    const redis = await startRedis();
    const receiver = await startReceiver();
    const clients = [myClient({ ...DIALECT, redirect_uris: [receiver.url] })];
    const options = () => ({ redis: redis.client(), ciba: { prefix: 'spec:two-processes' } });
    const [one, other] = [
      dialect(pluginServer, clients, options()),
      dialect(pluginServer, clients, options()),
    ];
    const id = await asked(one);
    await other.approve(id);
    await until('the client heard the outcome', () => receiver.received.length === 2);
    expect(receiver.received.map(({ body }) => JSON.parse(body).status)).toEqual(['pending', 'success']);
    expect(other.heard).not.toContain('compat.told');
    await Promise.all([one.close(), other.close(), receiver.close()]);
    await redis.stop();
  });
});

describe('the FAPI-CIBA profile', () => {
  it('[SD-18] keeps a server with the dialect from starting [D-30]', () => {
    expect(() => createCiba({ profile: 'fapi-ciba' })).not.toThrow();
    expect(() => createCiba({ profile: 'fapi-ciba', compat: {} })).toThrow('compat must be left out');
  });
});
