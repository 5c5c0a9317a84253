import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { ClientMetadata } from 'oidc-provider';
import * as client from 'openid-client';
import { type Certificate, makeSelfSigned } from '../../example-app/fapi/certificates.js';
import { CIBA_GRANT, pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import type { PluginServer } from '../support/server.js';
import {
  mTLS,
  publishedCertificate,
  startTlsServer,
  type TlsServer,
  thumbprintOf,
} from '../support/tls-server.js';
import { until } from '../support/until.js';

const SECRET = 'a secret that is long enough to sign assertions with';
const signing = await generateKeyPair('ES256');
const own = await makeSelfSigned();
const published = [
  { ...(await exportJWK(signing.publicKey)), kid: 'signing', use: 'sig' },
  await publishedCertificate(own, 'certificate'),
];
const key = { key: signing.privateKey, kid: 'signing' };

/** One way in which a client may come. */
interface Way {
  readonly registered: Partial<ClientMetadata>;
  readonly authentication: client.ClientAuth;
  /** What it shows in the TLS handshake. */
  readonly certificate?: (tls: TlsServer) => Promise<Certificate>;
  readonly signsRequests?: boolean;
  readonly provesKey?: boolean;
}

const withKeys = { client_secret: undefined, jwks_uri: 'https://client.example/jwks' };
const privateKeyJwt = {
  ...withKeys,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
} as const;
const bound = { tls_client_certificate_bound_access_tokens: true };

const WAYS: Readonly<Record<string, Way>> = {
  client_secret_basic: {
    registered: { client_secret: SECRET },
    authentication: client.ClientSecretBasic(SECRET),
  },
  client_secret_post: {
    registered: { client_secret: SECRET, token_endpoint_auth_method: 'client_secret_post' },
    authentication: client.ClientSecretPost(SECRET),
  },
  client_secret_jwt: {
    registered: { client_secret: SECRET, token_endpoint_auth_method: 'client_secret_jwt' },
    authentication: client.ClientSecretJwt(SECRET),
  },
  private_key_jwt: { registered: privateKeyJwt, authentication: client.PrivateKeyJwt(key) },
  'private_key_jwt and signed requests [JAR-1]': {
    registered: { ...privateKeyJwt, backchannel_authentication_request_signing_alg: 'ES256' },
    authentication: client.PrivateKeyJwt(key),
    signsRequests: true,
  },
  'private_key_jwt and a DPoP key [DPOP-1] [DPOP-8]': {
    registered: { ...privateKeyJwt, dpop_bound_access_tokens: true },
    authentication: client.PrivateKeyJwt(key),
    provesKey: true,
  },
  'private_key_jwt and tokens bound to a certificate [MTLS-3]': {
    registered: { ...privateKeyJwt, ...bound },
    authentication: client.PrivateKeyJwt(key),
    certificate: async () => own,
  },
  'tls_client_auth [MTLS-1] [MTLS-3]': {
    registered: {
      ...bound,
      client_secret: undefined,
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=party',
    },
    authentication: client.TlsClientAuth(),
    certificate: ({ authority }) => authority.issue(undefined, undefined, 'CN=party'),
  },
  'self_signed_tls_client_auth [MTLS-2] [MTLS-3]': {
    registered: { ...withKeys, ...bound, token_endpoint_auth_method: 'self_signed_tls_client_auth' },
    authentication: client.TlsClientAuth(),
    certificate: async () => own,
  },
};

onEveryStore('openid-client gets its tokens', (make) => {
  let server: PluginServer;
  let tls: TlsServer;
  let receiver: Receiver;
  afterEach(async () => {
    await Promise.all([tls.close(), receiver.close()]);
  });

  /** Starts a server with the one client, and is that client. */
  async function configured(way: Way, mode: string, certificate: () => Certificate | undefined) {
    receiver = await startReceiver();
    const party = pollClient('party', {
      ...way.registered,
      backchannel_token_delivery_mode: mode as 'ping',
      ...(mode === 'ping' && { backchannel_client_notification_endpoint: receiver.url }),
    });
    tls = await startTlsServer((issuer) => {
      server = make({
        issuer,
        config: {
          clients: [party],
          clientAuthMethods: [
            'client_secret_basic',
            'client_secret_jwt',
            'client_secret_post',
            'private_key_jwt',
            'tls_client_auth',
            'self_signed_tls_client_auth',
          ],
          fetch: async () => Response.json({ keys: published }),
        },
        features: {
          mTLS: mTLS as never,
          requestObjects: { enabled: true },
        },
        hooks: { deliveryModes: ['poll', 'ping'] },
        ciba: { delivery: { allowLoopback: true } },
      });
      return server.app;
    });
    const { authentication } = way;
    return client.discovery(new URL(tls.origin), 'party', undefined, authentication, {
      [client.customFetch]: (url, init) => tls.fetchAs(certificate())(url, init as RequestInit),
    });
  }

  it.each(Object.keys(WAYS).flatMap((name) => [[name, 'poll'] as const, [name, 'ping'] as const]))(
    'with %s, by %s [CA-1] [DISC-6] [TOK-1]',
    async (name, mode) => {
      const way = WAYS[name] as Way;
      let certificate: Certificate | undefined;
      const config = await configured(way, mode, () => certificate);
      certificate = await way.certificate?.(tls);
      const dpop = way.provesKey && client.getDPoPHandle(config, await client.randomDPoPKeyPair());
      const proving = dpop ? { DPoP: dpop } : {};

      const wanted: Record<string, string> = {
        scope: 'openid offline_access',
        login_hint: 'alice',
        ...(mode === 'ping' && { client_notification_token: 'the-token-of-the-client' }),
        ...(dpop && { dpop_jkt: await dpop.calculateThumbprint() }),
      };
      const sent = way.signsRequests ? { request: await signed(wanted, tls.origin) } : wanted;
      const answer = await client.initiateBackchannelAuthentication(config, sent);
      await server.approve(answer.auth_req_id);

      const tokens = await (mode === 'poll'
        ? // It would wait for the interval before its first poll.
          client.pollBackchannelAuthenticationGrant(config, { ...answer, interval: 0 }, undefined, proving)
        : pinged(answer.auth_req_id).then((auth_req_id) =>
            client.genericGrantRequest(config, CIBA_GRANT, { auth_req_id }, proving),
          ));
      expect(tokens.claims()).toMatchObject({ iss: tls.origin, sub: 'alice', aud: 'party' });
      expect(tokens.token_type).toBe(dpop ? 'dpop' : 'bearer');
      const userinfo = await client.fetchUserInfo(config, tokens.access_token, 'alice', proving);
      expect(userinfo.sub).toBe('alice');
      const refreshed = await client.refreshTokenGrant(
        config,
        String(tokens.refresh_token),
        undefined,
        proving,
      );
      expect(refreshed.claims()?.sub).toBe('alice');
      const { active, cnf } = await client.tokenIntrospection(config, tokens.access_token);
      expect(active).toBe(true);
      const binding = dpop
        ? { jkt: await dpop.calculateThumbprint() }
        : certificate && { 'x5t#S256': thumbprintOf(certificate) };
      expect(cnf).toEqual(binding);
    },
  );

  /** The client is told, and looks at what it is told of. */
  async function pinged(expected: string): Promise<string> {
    await until('the client is pinged', () => receiver.received.length > 0);
    const [ping] = receiver.received;
    expect(ping?.headers.authorization).toBe('Bearer the-token-of-the-client');
    const { auth_req_id } = JSON.parse(String(ping?.body)) as { auth_req_id: string };
    expect(auth_req_id).toBe(expected);
    return auth_req_id;
  }
});

/** The authentication request as a JWT, which openid-client does not make. */
function signed(params: Record<string, string>, issuer: string): Promise<string> {
  return new SignJWT({ ...params, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid: 'signing' })
    .setIssuer('party')
    .setAudience(issuer)
    .setIssuedAt()
    .setNotBefore('0s')
    .setExpirationTime('5m')
    .sign(signing.privateKey);
}
