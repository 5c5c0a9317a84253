import { createHash, generateKeyPairSync } from 'node:crypto';
import { compactDecrypt, decodeJwt, exportJWK } from 'jose';
import { errors } from 'oidc-provider';
import { tokenHash } from '../../lib/provider/token-hash.js';
import { findAccount } from '../support/configuration.js';
import { introspect, post, TOKEN } from '../support/server.js';
import {
  ALGORITHMS,
  type Approved,
  AUTH_REQ_ID,
  approved,
  type PushServer,
  pushClient,
  pushed,
  pushServer,
  verified,
} from './push-server.js';

const CLAIM = 'urn:openid:params:jwt:claim:';
const OFFLINE = 'openid offline_access';

const open: PushServer[] = [];
const serve = (options: Parameters<typeof pushServer>[0] = {}): PushServer => {
  const server = pushServer(options);
  open.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

const DIGEST: Readonly<Record<(typeof ALGORITHMS)[number], string>> = {
  RS256: 'sha256',
  PS256: 'sha256',
  ES256: 'sha256',
  ES384: 'sha384',
  RS512: 'sha512',
  Ed25519: 'sha512',
};

function leftHalf(digest: string, token: unknown): string {
  const hash = createHash(digest).update(String(token), 'ascii').digest();
  return hash.subarray(0, hash.length / 2).toString('base64url');
}

describe('the tokens of a push', () => {
  it.each(ALGORITHMS)(
    'are tied to the ID Token by its hashes, with %s [PUSH-2, PUSH-3, PUSH-4]',
    async (algorithm) => {
      const server = serve({ client: { id_token_signed_response_alg: algorithm } });
      const response = await pushed(server, { scope: OFFLINE });
      const { payload, protectedHeader } = await verified(server, response['id_token']);
      expect(protectedHeader.alg).toBe(algorithm);
      expect(payload).toMatchObject({
        sub: 'alice',
        at_hash: leftHalf(DIGEST[algorithm], response['access_token']),
        [`${CLAIM}rt_hash`]: leftHalf(DIGEST[algorithm], response['refresh_token']),
        [`${CLAIM}auth_req_id`]: AUTH_REQ_ID,
      });
    },
  );

  it('are the members of a token response [PUSH-1]', async () => {
    const server = serve();
    expect(await pushed(server)).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
      id_token: expect.any(String),
      scope: 'openid',
    });
  });

  it.each(['dpop_bound_access_tokens', 'tls_client_certificate_bound_access_tokens'])(
    'are not issued unbound to a client that has %s since it asked [PUSH-9]',
    async (bound) => {
      const features = {
        mTLS: { enabled: true, certificateBoundAccessTokens: true, getCertificate: () => undefined },
      };
      const server = serve({ features: features as never, client: { [bound]: true } });
      await expect(pushed(server)).rejects.toMatchObject({ error: 'invalid_grant' });
      expect(server.store.count('AccessToken')).toBe(0);
    },
  );

  it('have no rt_hash where there is no refresh token [PUSH-4]', async () => {
    const server = serve();
    const response = await pushed(server);
    const { payload } = await verified(server, response['id_token']);
    expect(response).not.toHaveProperty('refresh_token');
    expect(payload).not.toHaveProperty(`${CLAIM}rt_hash`);
    expect(payload.at_hash).toBe(leftHalf('sha256', response['access_token']));
  });

  it('work where tokens of the token endpoint do: introspection, userinfo, refreshing [PUSH-1]', async () => {
    const server = serve();
    const response = await pushed(server, { scope: OFFLINE });
    expect(await introspect(server, String(response['access_token']))).toMatchObject({
      active: true,
      sub: 'alice',
      client_id: 'pusher',
      scope: OFFLINE,
    });
    const refreshed = await post(
      server,
      TOKEN,
      { grant_type: 'refresh_token', refresh_token: String(response['refresh_token']) },
      { client: 'pusher' },
    );
    expect({ status: refreshed.status, error: refreshed.body.error }).toEqual({ status: 200 });
    const { payload } = await verified(server, refreshed.body.id_token);
    expect(payload.sub).toBe('alice');
  });

  it('say how and when the person signed in', async () => {
    const server = serve({ config: { acrValues: ['urn:gold'] } });
    const authTime = 1_700_000_000;
    const response = await pushed(server, {
      model: { nonce: 'n-1', claims: { id_token: { acr: null, auth_time: null, amr: null } } },
      decision: { acr: 'urn:gold', amr: ['pin'], authTime, sid: 's-1' },
    });
    const { payload } = await verified(server, response['id_token']);
    expect(payload).toMatchObject({ acr: 'urn:gold', auth_time: authTime, sid: 's-1', nonce: 'n-1' });
  });

  it('have the claims that were asked for one by one and granted, and no other', async () => {
    const server = serve({
      config: {
        claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
        findAccount: async (_ctx, accountId) => ({
          accountId,
          claims: () => ({ sub: accountId, name: 'Alice', email: 'alice@op.example' }),
        }),
      },
    });
    const response = await pushed(server, {
      claims: ['name'],
      model: { claims: { id_token: { name: null, email: null } } },
    });
    const { payload } = await verified(server, response['id_token']);
    expect(payload.name).toBe('Alice');
    expect(payload).not.toHaveProperty('email');
  });

  it.each([
    ['not those of scopes, which the userinfo endpoint has', true, undefined],
    ['those of scopes where the server says so', false, 'Alice Adams'],
  ])('have in the ID Token %s', async (_what, conformIdTokenClaims, name) => {
    const server = serve({ config: { conformIdTokenClaims, findAccount } });
    const response = await pushed(server, { scope: 'openid profile' });
    const { payload } = await verified(server, response['id_token']);
    expect(payload['name']).toBe(name);
  });

  it('have less where the person granted less', async () => {
    const server = serve();
    const response = await pushed(server, { scope: OFFLINE, decision: { scope: 'openid' } });
    expect(response).toMatchObject({ scope: 'openid' });
    expect(response).not.toHaveProperty('refresh_token');
  });

  it('are not there for a client that may not refresh', async () => {
    const server = serve({ client: { grant_types: ['urn:openid:params:grant-type:ciba'] } });
    expect(await pushed(server, { scope: OFFLINE })).not.toHaveProperty('refresh_token');
  });

  it('are of a pairwise subject where the client is registered so [TOK-10]', async () => {
    const server = serve({
      config: {
        subjectTypes: ['public', 'pairwise'],
        pairwiseIdentifier: async (_ctx, accountId, { sectorIdentifier }) =>
          `${accountId} at ${sectorIdentifier}`,
        clients: [
          pushClient('pusher', {
            subject_type: 'pairwise',
            token_endpoint_auth_method: 'private_key_jwt',
            jwks_uri: 'https://keys.example/jwks',
          }),
        ],
      },
    });
    const response = await pushed(server);
    const { payload } = await verified(server, response['id_token']);
    expect(payload.sub).toBe('alice at pusher.example');
  });

  it('have an encrypted ID Token where the client is registered so [PUSH-11]', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = { ...(await exportJWK(publicKey)), use: 'enc', kid: 'enc', alg: 'ECDH-ES' };
    const server = serve({
      config: { fetch: async () => Response.json({ keys: [key] }) },
      features: { encryption: { enabled: true } } as never,
      client: {
        jwks_uri: 'https://pusher.example/jwks',
        id_token_encrypted_response_alg: 'ECDH-ES',
        id_token_encrypted_response_enc: 'A256GCM',
      },
    });
    const response = await pushed(server);
    const { plaintext } = await compactDecrypt(String(response['id_token']), privateKey);
    const { payload } = await verified(server, new TextDecoder().decode(plaintext));
    expect(payload.at_hash).toBe(leftHalf('sha256', response['access_token']));
  });
});

describe('the hash of a token', () => {
  it.each([
    ['HS256', 16],
    ['PS384', 24],
    ['ES512', 32],
    ['EdDSA', 32],
    ['ML-DSA-65', 32],
  ])('is half of the digest that goes with %s', (algorithm, length) => {
    expect(Buffer.from(tokenHash('token', algorithm), 'base64url')).toHaveLength(length);
  });

  it('is not guessed for an algorithm that nobody knows', () => {
    expect(() => tokenHash('token', 'ES256K')).toThrow('no token hash is known for ES256K');
  });
});

describe('an access token that is pushed, and resources', () => {
  const API = 'https://api.example';
  const SHOP = 'https://shop.example';
  const resources = (more: object): never =>
    ({
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx: unknown, resource: string) => ({
          scope: 'openid read',
          accessTokenFormat: 'jwt',
          ...(resource === SHOP && { audience: 'the shop', accessTokenFormat: 'opaque' }),
        }),
        ...more,
      },
    }) as never;
  const asked: Approved = { scope: 'openid read write', resources: [API, SHOP] };

  it('is for the resource asked for, a JWT where the resource server wants one [PUSH-1]', async () => {
    const server = serve({ features: resources({ useGrantedResource: () => true }) });
    const response = await pushed(server, { ...asked, model: { resource: API } });
    expect(response).toMatchObject({ scope: 'openid read', token_type: 'Bearer' });
    expect(decodeJwt(String(response['access_token']))).toMatchObject({
      aud: API,
      sub: 'alice',
      client_id: 'pusher',
      scope: 'openid read',
    });
    await server.tokens.destroy(response);
  });

  it('has an ID Token with the claims of scopes, which such a token cannot ask the userinfo endpoint for', async () => {
    const server = serve({ features: resources({ useGrantedResource: () => true }) });
    const profile = { ...asked, scope: 'openid profile read' };
    const response = await pushed(server, { ...profile, model: { resource: API } });
    const { payload } = await verified(server, response['id_token']);
    expect(payload['name']).toBe('Alice Adams');
  });

  it('is for the default one of several', async () => {
    const server = serve({
      features: resources({ useGrantedResource: () => true, defaultResource: () => SHOP }),
    });
    const response = await pushed(server, { ...asked, model: { resource: [API, SHOP] } });
    expect(await introspect(server, String(response['access_token']))).toMatchObject({ aud: 'the shop' });
  });

  it.each([
    ['one of several that is none of them', () => 'https://other.example'],
    ['several of several', (_ctx: unknown, _client: unknown, oneOf: unknown) => oneOf],
  ])('is refused for %s, with nothing left behind', async (_what, defaultResource) => {
    const server = serve({ features: resources({ useGrantedResource: () => true, defaultResource }) });
    const push = pushed(server, { ...asked, model: { resource: [API, SHOP] } });
    await expect(push).rejects.toMatchObject({ error: 'invalid_target' });
    expect(server.store.count('AccessToken')).toBe(0);
  });

  it('is for the userinfo endpoint where the server does not say otherwise', async () => {
    const server = serve({ features: resources({}) });
    const response = await pushed(server, { ...asked, model: { resource: API } });
    const found = await introspect(server, String(response['access_token']));
    expect(found).toMatchObject({ active: true });
    expect(found).not.toHaveProperty('aud');
  });
});

describe('authorization details that were approved', () => {
  const detail = { type: 'payment', amount: '12.50' };
  const rar = (more: object): never =>
    ({
      resourceIndicators: { enabled: true, getResourceServerInfo: () => ({ scope: '' }) },
      richAuthorizationRequests: {
        enabled: true,
        types: { payment: { validate: () => {} } },
        authorizationDetailsForGrantSource: () => [],
        authorizationDetailsForIntrospection: (_ctx: unknown, token: { rar: unknown }) =>
          JSON.parse(JSON.stringify(token.rar)),
        ...more,
      },
    }) as never;

  it('are in the access token and in the response, as the server has them there [RAR-6]', async () => {
    const seen: unknown[] = [];
    const server = serve({
      features: rar({
        authorizationDetailsForAccessToken: (
          _ctx: unknown,
          _token: unknown,
          source: { rar: object[] },
          grantType: string,
        ) => {
          seen.push(grantType);
          return source.rar.map((one) => ({ ...one, account: 'savings' }));
        },
      }),
    });
    const response = await pushed(server, { decision: { rar: [detail] } });
    const expected = [{ ...detail, account: 'savings' }];
    expect(response['authorization_details']).toEqual(expected);
    expect(await introspect(server, String(response['access_token']))).toMatchObject({
      authorization_details: expected,
    });
    expect(seen).toEqual(['urn:openid:params:grant-type:ciba']);
  });

  it('are not lost where the server has no rule for them: nothing is issued', async () => {
    const server = serve();
    await expect(pushed(server, { decision: { rar: [detail] } })).rejects.toThrow(
      'authorizationDetailsForAccessToken is needed',
    );
    expect(server.store.count('AccessToken')).toBe(0);
  });
});

describe('what cannot be issued', () => {
  it('is refused where the client is gone', async () => {
    const server = serve();
    const approval = await approved(server);
    await expect(server.tokens.issue({ ...approval, clientId: 'nobody' })).rejects.toThrow(
      errors.InvalidGrant,
    );
  });

  it.each([
    ['the grant is gone', { grantId: 'none' }, 'the grant is gone'],
    ['there never was a grant', { grantId: undefined }, 'the grant is gone'],
    [
      'the session is over that the tokens end with',
      { expiresWithSession: true, sessionUid: 'none' },
      'the session is gone',
    ],
  ])('is refused where %s', async (_what, decision, description) => {
    const server = serve();
    await expect(pushed(server, { decision })).rejects.toMatchObject({
      error: 'invalid_grant',
      error_detail: description,
    });
    expect(server.store.count('AccessToken')).toBe(0);
  });

  it('is refused where the grant has ended', async () => {
    const server = serve({ config: { ttl: { Grant: 1 } } });
    const approval = await approved(server);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await expect(server.tokens.issue(approval)).rejects.toThrow(errors.InvalidGrant);
  });

  it('is refused where the grant is of another client or another account', async () => {
    const server = serve({ config: { clients: [pushClient('pusher'), pushClient('other')] } });
    const others = await approved(server, { clientId: 'other' });
    const mine = await approved(server);
    for (const wrong of [
      { ...mine, decision: others.decision },
      { ...mine, accountId: 'bob' },
    ]) {
      await expect(server.tokens.issue(wrong)).rejects.toMatchObject({
        error: 'invalid_grant',
        error_detail: 'the grant is of another client or account',
      });
    }
  });

  it('is refused where the account is gone', async () => {
    const server = serve({ config: { findAccount: async () => undefined } });
    await expect(pushed(server)).rejects.toMatchObject({ error_detail: 'the account is gone' });
    expect(server.store.count('AccessToken')).toBe(0);
  });

  it('leaves nothing behind where it fails late', async () => {
    let claims: () => { sub: string } = () => {
      throw new Error('the directory is down');
    };
    const server = serve({
      config: { findAccount: async (_ctx, accountId) => ({ accountId, claims: () => claims() }) },
    });
    const approval = await approved(server, { scope: OFFLINE });
    await expect(server.tokens.issue(approval)).rejects.toThrow('the directory is down');
    const left = () => [server.store.count('AccessToken'), server.store.count('RefreshToken')];
    expect(left()).toEqual([0, 0]);
    claims = () => ({ sub: 'alice' });
    await server.tokens.issue(approval);
    expect(left()).toEqual([1, 1]);
  });
});

describe('tokens that did not reach the client', () => {
  it('are destroyed, once and again [PUSH-8]', async () => {
    const server = serve();
    const response = await pushed(server, { scope: OFFLINE });
    await server.tokens.destroy(response);
    await server.tokens.destroy(response);
    for (const name of ['access_token', 'refresh_token']) {
      expect(await introspect(server, String(response[name]))).toEqual({ active: false });
    }
  });
});
