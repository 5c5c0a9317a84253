import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import request, { type Response } from 'supertest';
import { onEveryStore } from '../support/every-store.js';
import {
  CIBA_GRANT,
  ISSUER,
  type PluginServer,
  type PluginServerOptions,
  pluginServer,
} from '../support/server.js';

const key = await generateKeyPair('ES256', { extractable: true });
const jwks = { keys: [{ ...(await exportJWK(key.publicKey)), kid: 'own' }] };

/** Answers for every client: its keys, and the document of a sector. */
const fetch = async (url: string | URL | Request) => {
  const { pathname } = new URL(String(url));
  if (pathname === '/gone') return new globalThis.Response('', { status: 404 });
  if (pathname === '/sector') return globalThis.Response.json(['https://one.example/jwks']);
  if (pathname === '/other-sector') return globalThis.Response.json(['https://other.example/jwks']);
  return globalThis.Response.json(jwks);
};

const options: PluginServerOptions = {
  config: {
    fetch,
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: (_ctx, id, { sectorIdentifier }) => `${id} at ${sectorIdentifier}`,
  },
  features: {
    registration: { enabled: true },
    requestObjects: { enabled: true },
    dPoP: { enabled: true },
    mTLS: { enabled: true, certificateBoundAccessTokens: true } as never,
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'https://api.example',
      getResourceServerInfo: () => ({ scope: '' }),
    },
    richAuthorizationRequests: { enabled: true, types: { payment: { validate: () => {} } } } as never,
  },
};

const client = { grant_types: [CIBA_GRANT], backchannel_token_delivery_mode: 'poll' };
const pairwise = {
  ...client,
  subject_type: 'pairwise',
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  jwks_uri: 'https://one.example/jwks',
};

const register = async (server: PluginServer, body: object): Promise<Response> =>
  request(server.app).post('/reg').send(body);

const statusOf = async (body: object): Promise<unknown> => {
  const answer = await register(pluginServer(options), body);
  return answer.status === 201 ? 201 : answer.body.error;
};

describe('a client that signs its requests', () => {
  it.each(['ES256', 'PS256'])(
    'registers an algorithm that is published, and keys: %s [REG-9] [REG-10]',
    async (alg) => {
      const server = pluginServer(options);
      const metadata = {
        ...client,
        backchannel_authentication_request_signing_alg: alg,
        jwks_uri: pairwise.jwks_uri,
      };
      const { status, body } = await register(server, metadata);
      expect({ status, alg: body.backchannel_authentication_request_signing_alg }).toEqual({
        status: 201,
        alg,
      });
      const discovery = await request(server.app).get('/.well-known/openid-configuration');
      const published = discovery.body.backchannel_authentication_request_signing_alg_values_supported;
      expect(published).toContain(alg);
      expect(published.filter((each: string) => /^(HS|none)/.test(each))).toEqual([]);
    },
  );

  it.each(['none', 'HS256', 'XS256', 256])('registers nothing else: %s [REG-9]', async (alg) => {
    const metadata = {
      ...client,
      backchannel_authentication_request_signing_alg: alg,
      jwks_uri: pairwise.jwks_uri,
    };
    expect(await statusOf(metadata)).toBe('invalid_client_metadata');
  });

  it('registers no algorithm without keys [REG-10]', async () => {
    expect(await statusOf({ ...client, backchannel_authentication_request_signing_alg: 'ES256' })).toBe(
      'invalid_client_metadata',
    );
  });
});

describe('what a client registers of the other specifications', () => {
  it.each<[string, object]>([
    ['dpop_bound_access_tokens', { dpop_bound_access_tokens: true }],
    ['tls_client_certificate_bound_access_tokens', { tls_client_certificate_bound_access_tokens: true }],
    ['authorization_details_types', { authorization_details_types: ['payment'] }],
    ['id_token_signed_response_alg', { id_token_signed_response_alg: 'RS256' }],
  ])('is kept and told: %s [REG-26]', async (_name, more) => {
    const { status, body } = await register(pluginServer(options), { ...client, ...more });
    expect(status).toBe(201);
    expect(body).toMatchObject(more);
  });

  it.each<[string, object]>([
    ['dpop_bound_access_tokens', { dpop_bound_access_tokens: 'true' }],
    ['tls_client_certificate_bound_access_tokens', { tls_client_certificate_bound_access_tokens: 1 }],
    ['authorization_details_types', { authorization_details_types: 'payment' }],
    ['authorization_details_types that is unknown', { authorization_details_types: ['unknown'] }],
    [
      'token_endpoint_auth_signing_alg',
      {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri: pairwise.jwks_uri,
        token_endpoint_auth_signing_alg: 'none',
      },
    ],
    ['id_token_signed_response_alg', { id_token_signed_response_alg: 'XS256' }],
  ])('is refused where it is of the wrong kind: %s [REG-26]', async (_name, more) => {
    expect(await statusOf({ ...client, ...more })).toBe('invalid_client_metadata');
  });

  it('is consistent: no response type without its grant [REG-15]', async () => {
    for (const type of ['id_token', 'code id_token']) {
      const implicit = { response_types: [type], redirect_uris: ['https://one.example/cb'] };
      expect(await statusOf({ ...client, ...implicit })).toBe('invalid_client_metadata');
    }
  });
});

onEveryStore('a pairwise client', (make) => {
  /** Asks as this client, is approved, and gets its subject. */
  async function subjectOf(server: PluginServer, metadata: object): Promise<string> {
    const registered = await register(server, metadata);
    expect(registered.status).toBe(201);
    const id = registered.body.client_id;
    const send = async (path: string, form: Record<string, string>) => {
      const now = Math.floor(Date.now() / 1000);
      const assertion = await new SignJWT({
        iss: id,
        sub: id,
        aud: ISSUER,
        jti: randomUUID(),
        iat: now,
        exp: now + 60,
      })
        .setProtectedHeader({ alg: 'ES256', kid: 'own' })
        .sign(key.privateKey);
      const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      return request(server.app)
        .post(path)
        .type('form')
        .send({ client_assertion_type: type, client_assertion: assertion, ...form });
    };
    const { body } = await send('/backchannel', { scope: 'openid', login_hint: 'alice' });
    await server.approve(body.auth_req_id);
    const tokens = await send('/token', { grant_type: CIBA_GRANT, auth_req_id: body.auth_req_id });
    const { sub } = JSON.parse(Buffer.from(tokens.body.id_token.split('.')[1], 'base64url').toString()) as {
      sub: string;
    };
    return sub;
  }

  it('has a subject for its sector: the host of jwks_uri [REG-20] [REG-21] [TOK-10] [PRIV-6]', async () => {
    const server = make(options);
    const [one, same, other] = [
      await subjectOf(server, pairwise),
      await subjectOf(server, { ...pairwise, jwks_uri: 'https://one.example/more' }),
      await subjectOf(server, { ...pairwise, jwks_uri: 'https://other.example/jwks' }),
    ];
    expect([one, same, other]).toEqual([
      'alice at one.example',
      'alice at one.example',
      'alice at other.example',
    ]);
  });

  it('or the host of sector_identifier_uri, whose document lists jwks_uri [REG-21] [REG-22]', async () => {
    const server = make(options);
    const sector = { ...pairwise, sector_identifier_uri: 'https://group.example/sector' };
    expect(await subjectOf(server, sector)).toBe('alice at group.example');
    const unlisted = { ...sector, sector_identifier_uri: 'https://group.example/other-sector' };
    expect((await register(server, unlisted)).body.error).toBe('invalid_client_metadata');
  });

  it.each<[string, object]>([
    ['no keys at an address [REG-20]', { jwks_uri: undefined }],
    ['keys by value [REG-20]', { jwks_uri: undefined, jwks }],
    [
      'a secret, and requests without a signature [REG-24]',
      { token_endpoint_auth_method: 'client_secret_basic', token_endpoint_auth_signing_alg: undefined },
    ],
  ])('is none with %s', async (_what, more) => {
    const { status, body } = await register(make(options), { ...pairwise, ...more });
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_client_metadata' });
  });
});
