import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { type Certificate, makeSelfSigned } from '../../example-app/fapi/certificates.js';
import { processClock } from '../support/clock.js';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import {
  BACKCHANNEL,
  basic,
  CIBA_GRANT,
  formOf,
  type Params,
  type PluginServer,
  TOKEN,
} from '../support/server.js';
import {
  mTLS,
  publishedCertificate,
  startTlsServer,
  type TlsServer,
  thumbprintOf,
} from '../support/tls-server.js';

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const signing = await generateKeyPair('ES256');
const [own, rotated, strange] = await Promise.all([makeSelfSigned(), makeSelfSigned(), makeSelfSigned()]);

interface Answer {
  readonly status: number;
  readonly body: Record<string, string>;
}

const outcome = ({ status, body }: Answer): unknown => (status === 200 ? 200 : `${status} ${body['error']}`);

onEveryStore('mutual TLS', (make) => {
  let server: PluginServer;
  let tls: TlsServer;
  /** Signed by the authority for the client, and for somebody else. */
  let signed: Certificate;
  let other: Certificate;
  /** What `self` publishes. */
  let published: object[];

  beforeEach(async () => {
    published = [await publishedCertificate(own, 'own')];
    const signer = { ...(await exportJWK(signing.publicKey)), kid: 'signing' };
    tls = await startTlsServer((issuer) => {
      server = make({
        issuer,
        config: {
          clientAuthMethods: [
            'client_secret_basic',
            'private_key_jwt',
            'tls_client_auth',
            'self_signed_tls_client_auth',
          ],
          clients: [
            pollClient('till', { tls_client_certificate_bound_access_tokens: true }),
            pollClient('free'),
            pollClient('pki', {
              client_secret: undefined,
              token_endpoint_auth_method: 'tls_client_auth',
              tls_client_auth_subject_dn: 'CN=pki',
              tls_client_certificate_bound_access_tokens: true,
            }),
            pollClient('self', {
              client_secret: undefined,
              token_endpoint_auth_method: 'self_signed_tls_client_auth',
              jwks_uri: 'https://self.example/jwks',
            }),
            pollClient('jwt', {
              client_secret: undefined,
              token_endpoint_auth_method: 'private_key_jwt',
              token_endpoint_auth_signing_alg: 'ES256',
              tls_client_certificate_bound_access_tokens: true,
              jwks_uri: 'https://jwt.example/jwks',
            }),
          ],
          fetch: async (url) => Response.json({ keys: String(url).includes('self') ? published : [signer] }),
        },
        features: { mTLS: mTLS as never },
      });
      return server.app;
    });
    [signed, other] = await Promise.all([
      tls.authority.issue(undefined, undefined, 'CN=pki'),
      tls.authority.issue(undefined, undefined, 'CN=somebody'),
    ]);
  });
  afterEach(() => tls.close());

  async function send(
    path: string,
    params: Params,
    certificate?: Certificate,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const answer = await tls.fetchAs(certificate)(`${tls.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: formOf(params),
    });
    return { status: answer.status, body: (await answer.json()) as Answer['body'] };
  }

  /** What a client authenticates with besides its certificate. */
  async function credentials(id: string): Promise<{ params: Params; headers: Record<string, string> }> {
    if (id === 'till' || id === 'free') return { params: {}, headers: { authorization: basic(id) } };
    if (id !== 'jwt') return { params: { client_id: id }, headers: {} };
    const client_assertion = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: 'signing' })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(tls.origin)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(signing.privateKey);
    return { params: { client_assertion_type: JWT_BEARER, client_assertion }, headers: {} };
  }

  async function ask(id: string, certificate?: Certificate, more: Params = {}): Promise<Answer> {
    const { params, headers } = await credentials(id);
    const what = { scope: 'openid', login_hint: 'alice' };
    return send(BACKCHANNEL, { ...what, ...params, ...more }, certificate, headers);
  }

  async function poll(id: string, authReqId: unknown, certificate?: Certificate, more: Params = {}) {
    const { params, headers } = await credentials(id);
    const what = { grant_type: CIBA_GRANT, auth_req_id: String(authReqId) };
    return send(TOKEN, { ...what, ...params, ...more }, certificate, headers);
  }

  async function approved(id: string, certificate?: Certificate, more: Params = {}): Promise<string> {
    const { status, body } = await ask(id, certificate, more);
    expect({ status, error: body['error'] }).toEqual({ status: 200, error: undefined });
    await server.approve(String(body['auth_req_id']));
    return String(body['auth_req_id']);
  }

  describe('as client authentication', () => {
    it('goes by the subject of a certificate that the authority has signed [MTLS-1] [CA-1]', async () => {
      const authReqId = await approved('pki', signed);
      for (const wrong of [other, own, undefined]) {
        expect(outcome(await ask('pki', wrong))).toBe('401 invalid_client');
        expect(outcome(await poll('pki', authReqId, wrong))).toBe('401 invalid_client');
      }
      expect(await server.ciba.requests.list('alice')).toEqual([]);
      expect(outcome(await poll('pki', authReqId, signed))).toBe(200);
    });

    it('needs the client_id, at both endpoints [MTLS-1]', async () => {
      const authReqId = await approved('pki', signed);
      const nobody = { client_id: undefined };
      expect(outcome(await ask('pki', signed, nobody))).toBe('400 invalid_request');
      expect(outcome(await poll('pki', authReqId, signed, nobody))).toBe('400 invalid_request');
      expect(outcome(await poll('pki', authReqId, signed))).toBe(200);
    });

    it('goes by the certificates that the client publishes, which it may change [MTLS-2]', async () => {
      const authReqId = await approved('self', own);
      for (const wrong of [rotated, strange, undefined]) {
        expect(outcome(await ask('self', wrong))).toBe('401 invalid_client');
        expect(outcome(await poll('self', authReqId, wrong))).toBe('401 invalid_client');
      }
      published = [await publishedCertificate(rotated, 'rotated')];
      const clock = processClock();
      try {
        // What is published is looked up once a minute.
        clock.advance(61);
        expect(outcome(await ask('self', rotated))).toBe(200);
        expect(outcome(await ask('self', own))).toBe('401 invalid_client');
        expect(outcome(await poll('self', authReqId, rotated))).toBe(200);
      } finally {
        clock.restore();
      }
    });
  });

  describe('binds tokens', () => {
    it.each(['till', 'jwt'])(
      'to the certificate of the token request, however the client %s authenticates [MTLS-3]',
      async (id) => {
        const authReqId = await approved(id);
        const { body } = await poll(id, authReqId, own);
        expect(body['token_type']).toBe('Bearer');
        const { cnf } = await introspected(body['access_token']);
        expect(cnf).toEqual({ 'x5t#S256': thumbprintOf(own) });
      },
    );

    it('of clients that are registered so, and of no other [MTLS-3]', async () => {
      const { body } = await poll('free', await approved('free', own), own);
      expect(await introspected(body['access_token'])).not.toHaveProperty('cnf');
    });

    it('and issues none without a certificate: the approval stays, and that is no poll [MTLS-4]', async () => {
      const { body } = await ask('till');
      const authReqId = String(body['auth_req_id']);
      for (let times = 0; times < 2; times++) {
        expect(outcome(await poll('till', authReqId))).toBe('400 invalid_request');
      }
      expect(outcome(await poll('till', authReqId, own))).toBe('400 authorization_pending');
      await server.approve(authReqId);
      expect(outcome(await poll('till', authReqId))).toBe('400 invalid_request');
      expect(server.store.count('AccessToken')).toBe(0);
      expect(outcome(await poll('till', authReqId, own))).toBe(200);
    });

    it('that are refused with another certificate, or with none [MTLS-5]', async () => {
      const { body } = await poll('till', await approved('till'), own);
      const userinfo = async (certificate?: Certificate): Promise<unknown> => {
        const answer = await tls.fetchAs(certificate)(`${tls.origin}/me`, {
          headers: { authorization: `Bearer ${body['access_token']}` },
        });
        return outcome({ status: answer.status, body: (await answer.json()) as Answer['body'] });
      };
      expect(await userinfo(strange)).toBe('401 invalid_token');
      expect(await userinfo()).toBe('401 invalid_token');
      expect(await userinfo(own)).toBe(200);
    });

    it('that are refreshed to the certificate of the refresh [MTLS-3] [MTLS-4]', async () => {
      const offline = { scope: 'openid offline_access' };
      const { body } = await poll('till', await approved('till', undefined, offline), own);
      const refresh = { grant_type: 'refresh_token', refresh_token: String(body['refresh_token']) };
      const { headers } = await credentials('till');
      expect((await send(TOKEN, refresh, undefined, headers)).status).toBe(400);
      const refreshed = await send(TOKEN, refresh, rotated, headers);
      const { cnf } = await introspected(refreshed.body['access_token']);
      expect(cnf).toEqual({ 'x5t#S256': thumbprintOf(rotated) });
    });
  });

  it('takes no certificate out of a header, where TLS ends at the server [MTLS-7]', async () => {
    const pem = encodeURIComponent(signed.cert);
    const bare = signed.cert.replace(/-----[^-]+-----|\s/g, '');
    const forged = {
      'x-ssl-client-cert': pem,
      'x-forwarded-client-cert': `Cert="${pem}"`,
      'client-cert': `:${bare}:`,
    };
    const what = { client_id: 'pki', scope: 'openid', login_hint: 'alice' };
    expect(outcome(await send(BACKCHANNEL, what, undefined, forged))).toBe('401 invalid_client');
    const authReqId = await approved('till');
    const redeem = { grant_type: CIBA_GRANT, auth_req_id: authReqId };
    const headers = { ...forged, authorization: basic('till') };
    expect(outcome(await send(TOKEN, redeem, undefined, headers))).toBe('400 invalid_request');
    const { body } = await send(TOKEN, redeem, own, headers);
    const { cnf } = await introspected(body['access_token']);
    expect(cnf).toEqual({ 'x5t#S256': thumbprintOf(own) });
  });

  async function introspected(token: unknown): Promise<Record<string, unknown>> {
    const { body } = await send('/token/introspection', { token: String(token) }, undefined, {
      authorization: basic('free'),
    });
    expect(body['active']).toBe(true);
    return body;
  }
});
