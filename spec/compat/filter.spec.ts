import { text } from 'node:stream/consumers';
import express, { type Express } from 'express';
import request from 'supertest';
import { CIBA_GRANT, pollClient } from '../support/configuration.js';
import type { Make } from '../support/every-store.js';
import { type PluginServer, type PluginServerOptions, pluginServer } from '../support/server.js';
import { bodyOf, DIALECT, dialect, formOf, HOST, myClient, sendForm, sendJson } from './dialect-server.js';
import { M2, M4, M6 } from './tutorial-messages.js';

const open: PluginServer[] = [];
const make: Make = (options) => {
  const server = pluginServer(options);
  open.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

/** What stands behind the router finds of a request. */
interface Seen {
  readonly url: string;
  readonly length: string | undefined;
  readonly body: string;
}

/** The router alone, with something behind it that says what has come through. */
function behindRouter(server: PluginServer): Express {
  return express().use(server.ciba.router(server.provider), async (req, res) => {
    const seen: Seen = {
      url: req.url,
      length: req.headers['content-length'],
      body: await text(req),
    };
    res.json(seen);
  });
}

const seenOf = async (app: Express, path: string, body: string, headers: object = {}): Promise<Seen> =>
  (
    await request(app)
      .post(path)
      .set({ 'content-type': 'application/x-www-form-urlencoded', ...headers })
      .send(body)
  ).body;

const lengthOf = (body: string): string => String(Buffer.byteLength(body));

describe('what stands behind the router', () => {
  it.each([
    ['an unflagged client', bodyOf(M2).replace('my-client', 'plain'), '/ciba/auth', {}],
    ['nobody', bodyOf(M2).replace('my-client', 'unknown'), '/backchannel', {}],
    ['a broken form', '%%%&=&&\n', '/token', {}],
    ['another kind of body', bodyOf(M2), '/backchannel', { 'content-type': 'text/plain' }],
    [
      'another character set',
      bodyOf(M2),
      '/backchannel',
      {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-16le',
      },
    ],
    ['a form that is too large', `${bodyOf(M2)}&more=${'x'.repeat(60_000)}`, '/backchannel', {}],
    ['a client of the dialect somewhere else', bodyOf(M2), '/token/revocation', {}],
    ['no form at all', '', '/token', {}],
  ])('sees the bytes of %s as they came', async (_whose, body, path, headers) => {
    const server = dialect(make, [myClient(DIALECT), myClient({ client_id: 'plain' })]);
    expect(await seenOf(behindRouter(server), path, body, headers)).toEqual({
      url: path,
      length: lengthOf(body),
      body,
    });
    expect(server.heard).not.toContain('compat.used');
  });

  it('sees a client of the dialect speak the standard, with all the rest as it came', async () => {
    const app = behindRouter(dialect(make));
    const asking = `${bodyOf(M2).replaceAll('\n', '')}&login_hint=alice`;
    expect(await seenOf(app, '/ciba/auth?a=b', bodyOf(M2))).toEqual({
      url: '/backchannel?a=b',
      length: lengthOf(asking),
      body: asking,
    });
    const polling = bodyOf(M4)
      .replaceAll('\n', '')
      .replace(/urn[^&]+/, encodeURIComponent(CIBA_GRANT));
    expect(await seenOf(app, '/token', bodyOf(M4))).toEqual({
      url: '/token',
      length: lengthOf(polling),
      body: polling,
    });
  });

  it('sees a form in pieces as one', async () => {
    const app = behindRouter(dialect(make));
    const sent = request(app).post('/ciba/auth').type('application/x-www-form-urlencoded');
    for (const piece of bodyOf(M2).match(/.{1,40}/gs) ?? []) sent.write(piece);
    const { body } = await sent;
    expect(body).toEqual({
      url: '/backchannel',
      length: undefined,
      body: `${bodyOf(M2).replaceAll('\n', '')}&login_hint=alice`,
    });
  });
});

describe('a client of the dialect', () => {
  it('may be named by the Authorization header', async () => {
    const server = dialect(make, [
      myClient({ ...DIALECT, token_endpoint_auth_method: 'client_secret_basic' }),
    ]);
    const form = formOf(M2).replace(/client_id=[^&]+&client_secret=[^&]+&/, '');
    const { status } = await request(server.app)
      .post('/ciba/auth')
      .set({ host: HOST, authorization: `Basic ${btoa('my-client:supersecret')}` })
      .type('form')
      .send(form);
    expect(status).toBe(200);
  });

  it('is heard below a mount path, and a log shows the path it came with [D-18]', async () => {
    const logged: string[] = [];
    const server = dialect(make, [myClient(DIALECT)], { mount: '/oidc' });
    const app = express().use((req, res, next) => {
      res.on('finish', () => logged.push(`${req.originalUrl} ${res.statusCode}`));
      next();
    }, server.app);
    const mounted = { ...server, app };
    expect((await sendForm(mounted, '/ciba/auth', bodyOf(M2))).status).toBe(200);
    const registered = await sendJson(mounted, '/register', bodyOf(M6));
    expect({ status: registered.status, uri: registered.body.registration_client_uri }).toEqual({
      status: 201,
      uri: `http://${HOST}/oidc/reg/smart-home-device`,
    });
    expect(logged).toEqual(['/oidc/ciba/auth 200', '/oidc/register 201']);
  });

  it('is heard where the server’s own parser was first', async () => {
    const server = dialect(make);
    const app = express().use(express.urlencoded({ extended: false }), express.json(), server.app);
    const parsed = { ...server, app };
    expect((await sendForm(parsed, '/ciba/auth', formOf(M2))).status).toBe(200);
    expect((await sendForm(parsed, '/token', formOf(M4))).body.error).toBe('invalid_grant');
    expect((await sendJson(parsed, '/register', bodyOf(M6))).status).toBe(201);
  });

  it('that speaks the standard is told nothing of deprecation', async () => {
    const server = dialect(make, [myClient({ ...DIALECT, backchannel_user_code_parameter: true })]);
    const { status, headers } = await sendForm(server, '/backchannel', formOf(M2, { login_hint: 'alice' }));
    expect({ status, deprecation: headers['deprecation'] }).toEqual({ status: 200, deprecation: undefined });
    expect(server.heard).not.toContain('compat.used');
  });

  it('is held to the FAPI-CIBA profile, or speaks the dialect, not both [D-30]', () => {
    expect(() => dialect(make, [myClient({ ...DIALECT, ciba_profile: 'fapi-ciba' })])).toThrow(
      'ciba_compat must not be true for a client of the profile',
    );
  });
});

describe('only an administrator', () => {
  const body = { client_name: 'Mine', grant_types: [CIBA_GRANT], backchannel_token_delivery_mode: 'poll' };

  it.each([
    ['ciba_compat', { ciba_compat: true }],
    ['ciba_compat', { ciba_compat: true, client_id: 'smart-home-device', client_secret: 'device-secret' }],
    ['ciba_compat_subject', { ciba_compat_subject: 'bob' }],
  ])('switches it on: %s cannot be registered', async (name, more) => {
    const answer = await sendJson(dialect(make), '/reg', JSON.stringify({ ...body, ...more }));
    expect({ status: answer.status, body: answer.body }).toEqual({
      status: 400,
      body: { error: 'invalid_client_metadata', error_description: `${name} cannot be registered` },
    });
  });

  it('names the person: what a registration says of them is refused [D-23]', async () => {
    const server = dialect(make, []);
    const withSubject = JSON.stringify({ ...JSON.parse(bodyOf(M6)), ciba_compat_subject: 'bob' });
    expect((await sendJson(server, '/register', withSubject)).body.error_description).toBe(
      'ciba_compat_subject cannot be registered',
    );
  });

  it.each([
    ['ciba_compat', 'yes'],
    ['ciba_compat_subject', ''],
    ['ciba_compat_subject', 7],
  ])('may be wrong as well: %s cannot be %p', (name, value) => {
    expect(() => dialect(make, [myClient({ ...DIALECT, [name]: value })])).toThrow(`${name} must be`);
  });

  it('has the last word: without the option a flagged client is like any other', async () => {
    const server = make({
      config: { clients: [myClient({ ...DIALECT, redirect_uris: ['https://client.example/cb'] })] },
    });
    expect((await sendForm(server, '/ciba/auth', bodyOf(M2))).status).toBe(404);
    expect((await sendForm(server, '/token', formOf(M4))).body.error).toBe('unsupported_grant_type');
  });
});

describe('the start is refused', () => {
  const starting = (options: PluginServerOptions) => () =>
    make({ config: { clients: [pollClient('till')] }, ...options });

  it.each<[string, PluginServerOptions, string]>([
    [
      'with weak secrets for an issuer that is elsewhere [D-5] [D-61]',
      { ciba: { compat: { allowWeakSecrets: true } } },
      'compat.allowWeakSecrets must be false',
    ],
    [
      'with a client of the dialect whose secret is weak [D-61]',
      { ciba: { compat: {} }, config: { clients: [myClient(DIALECT)] } },
      'clients[my-client] is not right: client_secret must have at least 22 characters',
    ],
    [
      'without anything that verifies a user code [D-26]',
      { ciba: { compat: {}, verifyUserCode: undefined } },
      'verifyUserCode must be given with compat',
    ],
    [
      'with approved registrations where there are none [D-4]',
      { ciba: { compat: { preapproved: { tv: { secret: 'x'.repeat(22) } } } } },
      'features.registration.enabled must be true',
    ],
  ])('%s', (_why, options, message) => {
    expect(starting(options)).toThrow(message);
  });

  it('with none of that for strong secrets on any issuer', () => {
    const clients = [myClient({ ...DIALECT, client_secret: 'x'.repeat(22) })];
    const preapproved = { tv: { secret: 'x'.repeat(22) } };
    expect(
      starting({
        ciba: { compat: { preapproved } },
        config: { clients },
        features: { registration: { enabled: true } },
      }),
    ).not.toThrow();
  });
});
