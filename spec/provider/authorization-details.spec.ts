import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { decodeJwt, exportJWK, SignJWT } from 'jose';
import { errors } from 'oidc-provider';
import request, { type Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { expectErrorEnvelope, expectRefused } from '../support/refusal.js';
import {
  ask,
  asked,
  BACKCHANNEL,
  ISSUER,
  introspect,
  type PluginServer,
  type PluginServerOptions,
  poll,
  post,
  TOKEN,
} from '../support/server.js';
import { until } from '../support/until.js';

const API = 'https://api.example';
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...(await exportJWK(signing.publicKey)), kid: 'signing' };

const payment = { type: 'payment', amount: '12.50', payee: 'ACME' };
const second = { type: 'payment', amount: '99.00', payee: 'Shop' };
const json = JSON.stringify;

/** What the server says a payment is: it refuses what it does not know (RFC 9396 5). */
function validatePayment(_ctx: unknown, detail: Record<string, unknown>): void {
  const { type, amount, payee, ...unknown } = detail;
  const wrong =
    Object.keys(unknown).length > 0 ||
    type !== 'payment' ||
    typeof payee !== 'string' ||
    typeof amount !== 'string' ||
    !/^\d+\.\d\d$/.test(amount);
  if (wrong) throw new errors.InvalidAuthorizationDetails('a payment has an amount and a payee');
}

let links: Map<string, string>;
let prompted: { scope: string; details: readonly object[] }[];
beforeEach(() => {
  links = new Map();
  prompted = [];
});

/** None of the rules for what tokens hold is written: oidc-provider alone would fail. */
const options = (more: object = {}): PluginServerOptions => ({
  config: {
    clients: [
      pollClient('till', { authorization_details_types: ['payment', 'account'] }),
      pollClient('none'),
      pollClient('accounts', { authorization_details_types: ['account'] }),
      pollClient('signer', {
        authorization_details_types: ['payment'],
        backchannel_authentication_request_signing_alg: 'ES256',
        jwks_uri: 'https://signer.example/jwks',
      }),
    ],
    fetch: async () => globalThis.Response.json({ keys: [jwk] }),
  },
  features: {
    requestObjects: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => API,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'openid read', accessTokenFormat: 'opaque' as const }),
    },
    richAuthorizationRequests: {
      enabled: true,
      types: { payment: { validate: validatePayment }, account: { validate: () => {} } },
      ...more,
    } as never,
  },
  ciba: {
    interaction: () => ({ accountId: 'alice' }),
    channels: [
      {
        name: 'inbox',
        send: async ({ handle, scope, authorizationDetails, link }) => {
          prompted.push({ scope, details: authorizationDetails });
          links.set(handle, new URL(String(link)).pathname);
        },
      },
    ],
  },
});

const outcome = ({ status, body }: Response): unknown => body.error ?? status;
const askFor = (server: PluginServer, details: unknown, client = 'till'): Promise<Response> =>
  ask(server, { authorization_details: typeof details === 'string' ? details : json(details) }, { client });
const approved = async (server: PluginServer, details: object[]): Promise<string> => {
  const authReqId = await asked(server, {
    scope: 'openid offline_access',
    authorization_details: json(details),
  });
  await server.approve(authReqId);
  return authReqId;
};

onEveryStore('authorization details of a request', (make) => {
  it('are taken as JSON of the form, and shown with the scope to the person [RAR-1] [RAR-5]', async () => {
    const server = make(options());
    const params = { scope: 'openid read', authorization_details: json([payment, second]) };
    const authReqId = await asked(server, params);
    const view = await server.ciba.requests.get(server.ciba.requests.handleOf(authReqId));
    const all = [payment, second];
    expect(view).toMatchObject({ scope: 'openid read', authorizationDetails: all });
    await until('the person is told', () => prompted.length > 0);
    expect(prompted).toEqual([{ scope: 'openid read', details: all }]);
  });

  it('are an array in a signed request [RAR-1]', async () => {
    const server = make(options());
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'signer', aud: ISSUER, iat: now, nbf: now, exp: now + 60, jti: randomUUID() };
    const signed = await new SignJWT({
      ...claims,
      scope: 'openid',
      login_hint: 'alice',
      authorization_details: [payment],
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'signing' })
      .sign(signing.privateKey);
    const { status, body } = await post(server, BACKCHANNEL, { request: signed }, { client: 'signer' });
    expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
    await server.approve(body.auth_req_id);
    const tokens = await poll(server, body.auth_req_id, {}, { client: 'signer' });
    expect(tokens.body.authorization_details).toEqual([payment]);
  });

  it.each<[string, unknown]>([
    ['no JSON [RAR-2]', 'payment'],
    ['an object [RAR-2]', payment],
    ['a list of texts [RAR-2]', ['payment']],
    ['without a type [RAR-2]', [{ amount: '12.50', payee: 'ACME' }]],
    ['of a type that is no text [RAR-2]', [{ ...payment, type: 7 }]],
    ['of an unknown type [RAR-3] [DISC-11]', [{ ...payment, type: 'mortgage' }]],
    ['of a type that every object has a member of [RAR-3]', [{ ...payment, type: 'constructor' }]],
    ['with an unknown field [RAR-3]', [{ ...payment, urgent: true }]],
    ['with a field of the wrong kind [RAR-3]', [{ ...payment, amount: 12.5 }]],
    ['with an invalid value [RAR-3]', [{ ...payment, amount: '-1' }]],
    ['without a field [RAR-3]', [{ type: 'payment', amount: '12.50' }]],
    ['with a common field of the wrong kind [RAR-3]', [{ type: 'account', actions: 'read' }]],
    ['good and bad ones [RAR-3]', [payment, { type: 'mortgage' }]],
  ])('that are %s are refused, and nobody is asked', async (_what, details) => {
    const server = make(options());
    await expectRefused(server, () => askFor(server, details), { error: 'invalid_authorization_details' });
    expect(prompted).toEqual([]);
  });

  it('are of the types that the client may ask for [RAR-4]', async () => {
    const server = make(options());
    expect((await askFor(server, [{ type: 'account' }], 'accounts')).status).toBe(200);
    for (const client of ['accounts', 'none']) {
      await expectRefused(server, () => askFor(server, [payment], client), {
        error: 'invalid_authorization_details',
      });
    }
  });

  it('are no markup on the decision page, and stand beside the scope [RAR-5] [RAR-9]', async () => {
    const server = make(options());
    const hostile = { ...payment, payee: '<script>approve()</script>"><img src=x onerror=approve()>' };
    const authReqId = await asked(server, { scope: 'openid', authorization_details: json([hostile]) });
    const handle = server.ciba.requests.handleOf(authReqId);
    await until('the link was sent', () => links.has(handle));
    const { status, text } = await request(server.app).get(String(links.get(handle)));
    expect(status).toBe(200);
    expect(text).toContain('&#60;script&#62;approve()&#60;/script&#62;');
    expect(text).not.toContain('<script>approve');
    expect(text).not.toContain('<img src=x');
    expect(text).toContain('12.50');
  });
});

onEveryStore('authorization details that were approved', (make) => {
  it('are in the token response, and in introspection for who has the resource [RAR-6] [RAR-8]', async () => {
    const server = make(options());
    const { status, body } = await poll(server, await approved(server, [payment, second]));
    const all = [payment, second];
    expect({ status, details: body.authorization_details }).toEqual({ status: 200, details: all });
    expect(await introspect(server, body.access_token)).toMatchObject({
      aud: API,
      authorization_details: all,
    });
  });

  it('are in the claims of an access token that is a JWT, where the server puts them there [RAR-8]', async () => {
    const base = options();
    const server = make({
      ...base,
      config: {
        ...base.config,
        extraTokenClaims: (_ctx, token) => ({ authorization_details: (token as { rar?: object[] }).rar }),
      },
      features: {
        ...base.features,
        resourceIndicators: {
          ...(base.features?.resourceIndicators as object),
          getResourceServerInfo: () => ({ scope: 'openid', accessTokenFormat: 'jwt' as const }),
        } as never,
      },
    });
    const { body } = await poll(server, await approved(server, [payment]));
    expect(decodeJwt(body.access_token)).toMatchObject({ aud: API, authorization_details: [payment] });
  });

  it('may be fewer than were asked for, and then those alone are granted [RAR-6]', async () => {
    const server = make(options());
    const authReqId = await asked(server, { authorization_details: json([payment, second]) });
    await server.approve(authReqId, { rar: [second] });
    expect((await poll(server, authReqId)).body.authorization_details).toEqual([second]);
  });

  it('may be enriched by the server [RAR-6] [RAR-8]', async () => {
    const enriched = { ...payment, account: 'savings' };
    const server = make(
      options({
        authorizationDetailsForAccessToken: () => [enriched],
        authorizationDetailsForIntrospection: () => [enriched, { type: 'account' }],
      }),
    );
    const { body } = await poll(server, await approved(server, [payment]));
    expect(body.authorization_details).toEqual([enriched]);
    expect(await introspect(server, body.access_token)).toMatchObject({
      authorization_details: [enriched, { type: 'account' }],
    });
  });

  it('are narrowed by a token request [RAR-7]', async () => {
    const server = make(options());
    const authReqId = await approved(server, [payment, second]);
    const { status, body } = await poll(server, authReqId, {
      authorization_details: json([{ payee: 'Shop', amount: '99.00', type: 'payment' }]),
    });
    expect({ status, details: body.authorization_details }).toEqual({ status: 200, details: [second] });
    expect(await introspect(server, body.access_token)).toMatchObject({ authorization_details: [second] });
  });

  it.each<[string, object[]]>([
    ['another one', [{ ...payment, payee: 'Mallory' }]],
    ['more of one', [{ ...payment, amount: '1250.00' }]],
    ['one beside them', [payment, second, { ...payment, payee: 'Mallory' }]],
    ['one of a type that nobody asked for', [{ type: 'account' }]],
    ['one of an unknown type', [{ type: 'mortgage' }]],
    ['one that is invalid', [{ ...payment, urgent: true }]],
  ])(
    'are not widened by a token request for %s, which leaves the approval [RAR-7]',
    async (_what, details) => {
      const server = make(options());
      const authReqId = await approved(server, [payment, second]);
      const refused = await poll(server, authReqId, { authorization_details: json(details) });
      expect({ status: refused.status, error: refused.body.error }).toEqual({
        status: 400,
        error: 'invalid_authorization_details',
      });
      expectErrorEnvelope(refused);
      expect(server.store.count('AccessToken')).toBe(0);
      expect((await poll(server, authReqId)).body.authorization_details).toEqual([payment, second]);
    },
  );

  it('are none where none was asked for, whatever a token request says [RAR-7]', async () => {
    const server = make(options());
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const refused = await poll(server, authReqId, { authorization_details: json([payment]) });
    expect(outcome(refused)).toBe('invalid_authorization_details');
    const { status, body } = await poll(server, authReqId);
    expect(status).toBe(200);
    expect(body).not.toHaveProperty('authorization_details');
  });

  it('are what a refresh may narrow, and not widen [RAR-7]', async () => {
    const server = make(options());
    const authReqId = await approved(server, [payment, second]);
    const { refresh_token } = (await poll(server, authReqId, { authorization_details: json([payment]) }))
      .body;
    const refresh = (details?: object[]) =>
      post(server, TOKEN, {
        grant_type: 'refresh_token',
        refresh_token,
        authorization_details: details && json(details),
      });
    expect((await refresh([second])).body.authorization_details).toEqual([second]);
    expect(outcome(await refresh([{ ...payment, payee: 'Mallory' }]))).toBe('invalid_authorization_details');
    expect((await refresh()).body.authorization_details).toEqual([payment, second]);
  });
});
