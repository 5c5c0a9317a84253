import { generateKeyPairSync } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import request from 'supertest';
import { findAccount, pollClient, webClient } from '../support/configuration.js';
import { mends } from '../support/native-row.js';
import {
  ask,
  asked,
  BACKCHANNEL,
  formOf,
  ISSUER,
  pluginServer,
  poll,
  post,
  type Server,
} from '../support/server.js';

describe('native row 18: the user code', () => {
  mends('a client registered for it must send it [UC-2] [ERR-8]', {
    check: async (server) => {
      expect((await ask(server, {}, { client: 'coder' })).body.error).toBe('missing_user_code');
      expect((await ask(server, { user_code: '1234' }, { client: 'coder' })).status).toBe(200);
    },
    bareShows: undefined,
  });

  mends('discovery says that it is not supported where nothing verifies it [DISC-5]', {
    check: async (server) => {
      const { body } = await request(server.app).get('/.well-known/openid-configuration');
      expect(body.backchannel_user_code_parameter_supported).toBe(false);
    },
    bareShows: true,
    given: { config: { clients: [pollClient('till')] } },
    plugin: { ciba: { verifyUserCode: undefined } },
  });
});

describe('native row 19: a client that is not registered for CIBA', () => {
  mends('it is told unauthorized_client [ERR-7]', {
    check: async (server) => {
      const refused = await ask(server, {}, { client: 'web' });
      expect(refused.body.error).toBe('unauthorized_client');
      expect(refused.status).toBe(400);
    },
    bareShows: 'invalid_request',
  });
});

describe('native row 23: the id_token_hint of a pairwise client', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const assertion = (): Promise<string> =>
    new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: 'shop-key' })
      .setIssuer('shop')
      .setSubject('shop')
      .setAudience(ISSUER)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey);
  const asShop = async (server: Server, path: string, params: Record<string, string>) =>
    request(server.app)
      .post(path)
      .type('form')
      .send(
        formOf({
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await assertion(),
          ...params,
        }),
      );

  mends('it names the account that the subject belongs to [HINT-12]', {
    check: async (server) => {
      const first = await asShop(server, BACKCHANNEL, { scope: 'openid', login_hint: 'alice' });
      await server.approve(first.body.auth_req_id);
      const tokens = await asShop(server, '/token', {
        grant_type: 'urn:openid:params:grant-type:ciba',
        auth_req_id: first.body.auth_req_id,
      });
      const hinted = await asShop(server, BACKCHANNEL, {
        scope: 'openid',
        id_token_hint: tokens.body.id_token,
      });
      expect(hinted.body.error).toBe(undefined);
      const model = await server.provider.BackchannelAuthenticationRequest.find(hinted.body.auth_req_id);
      expect(model?.accountId).toBe('alice');
    },
    bareShows: 'unknown_user_id',
    given: {
      config: {
        clients: [
          pollClient('shop', {
            client_secret: undefined,
            subject_type: 'pairwise',
            token_endpoint_auth_method: 'private_key_jwt',
            token_endpoint_auth_signing_alg: 'ES256',
            jwks_uri: 'https://shop.example/jwks',
          }),
        ],
        subjectTypes: ['public', 'pairwise'],
        pairwiseIdentifier: async (_ctx, accountId) => `pairwise-of-${accountId}`,
        fetch: async () => Response.json({ keys: [{ ...(await exportJWK(publicKey)), kid: 'shop-key' }] }),
      },
    },
    plugin: { ciba: { resolvePairwiseSubject: (subject) => subject.replace('pairwise-of-', '') } },
  });
});

describe('native row 25: a hook of the server that reaches the device', () => {
  const given = {
    hooks: {
      triggerAuthenticationDevice: () => {
        throw new Error('the gateway is down');
      },
    },
  };

  mends('where it throws, the request that was stored is acknowledged [ACK-8] [ACK-10]', {
    check: async (server) => {
      expect((await ask(server)).status).toBe(200);
    },
    bareShows: 500,
    given,
  });

  mends('where it throws, no live request is left that its client does not know', {
    check: async (server) => {
      const acknowledged = (await ask(server)).status === 200 ? 1 : 0;
      const stored = server.heard.filter((name) => /request\.(saved|accepted)$/.test(name)).length;
      expect(stored - acknowledged).toBe(0);
    },
    bareShows: 1,
    given,
  });

  it('with the plugin the failure is an event, and the person can still decide', async () => {
    const server = pluginServer(given);
    const authReqId = await asked(server);
    expect(server.events.find(({ name }) => name === 'notification.failed')?.event).toMatchObject({
      accountId: 'alice',
      cause: expect.objectContaining({ message: 'the gateway is down' }),
    });
    await server.approve(authReqId);
    expect((await poll(server, authReqId)).status).toBe(200);
    await server.close();
  });

  it('with the plugin a gateway that never answers holds no answer up [ACK-8]', async () => {
    const server = pluginServer({
      hooks: { triggerAuthenticationDevice: () => new Promise<void>(() => {}) },
    });
    expect((await ask(server)).status).toBe(200);
    await server.close();
  });
});

describe('native row 26: a server that wrote the hook for its hints only', () => {
  mends('the first request is accepted', {
    check: async (server) => {
      expect((await ask(server)).status).toBe(200);
    },
    bareShows: 500,
    given: {
      hooks: {
        validateBindingMessage: undefined,
        validateRequestContext: undefined,
        verifyUserCode: undefined,
        triggerAuthenticationDevice: undefined,
        processLoginHintToken: undefined,
      },
    },
  });
});

describe('native row 27: a binding message that a person can read', () => {
  mends('it may hold spaces and every language [REQ-13]', {
    check: async (server) => {
      const answers = await Promise.all(
        ['Pay 12.50 EUR to ACME', 'Zahle 12,50 € an Müller', '確認コード 4711'].map((binding_message) =>
          ask(server, { binding_message }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    },
    bareShows: [400, 400, 400],
    given: { hooks: { validateBindingMessage: undefined } },
  });
});

describe('native row 28: one client that floods one person', () => {
  mends('no more than five prompts of it are pending [ERR-12]', {
    check: async (server) => {
      const statuses: number[] = [];
      for (let prompt = 0; prompt < 12; prompt++) statuses.push((await ask(server)).status);
      expect(statuses).toEqual([...Array(5).fill(200), ...Array(7).fill(403)]);
    },
    bareShows: Array(12).fill(200),
  });
});

describe('native row 16: a fault after the claim', () => {
  mends('a bad resource is refused, and the person’s approval is kept [RES-1]', {
    check: async (server) => {
      const authReqId = await asked(server);
      await server.approve(authReqId);
      const refused = await poll(server, authReqId, { resource: 'https://unknown.example' });
      expect(refused.body.error).toBe('invalid_target');
      expect((await poll(server, authReqId)).body.error).toBe(undefined);
    },
    bareShows: 'invalid_grant',
    given: {
      features: {
        resourceIndicators: {
          enabled: true,
          defaultResource: async () => [],
          getResourceServerInfo: async () => {
            throw new (await import('oidc-provider')).errors.InvalidTarget('unknown resource');
          },
        },
      },
    },
  });

  const accounts = { away: false };
  mends('an account that could not be found for a moment costs no approval', {
    check: async (server) => {
      const authReqId = await asked(server);
      await server.approve(authReqId);
      accounts.away = true;
      expect((await poll(server, authReqId)).body.error).toBe('invalid_grant');
      accounts.away = false;
      expect((await poll(server, authReqId)).status).toBe(200);
    },
    bareShows: 400,
    given: { config: { findAccount: async (ctx, id) => (accounts.away ? undefined : findAccount(ctx, id)) } },
  });

  mends('a DPoP proof that was used before costs no approval', {
    check: async (server) => {
      const [first, second] = [await asked(server), await asked(server)];
      await server.approve(first);
      await server.approve(second);
      const used = await dpopProof();
      expect((await poll(server, first, {}, { headers: { dpop: used } })).body.token_type).toBe('DPoP');
      expect((await poll(server, second, {}, { headers: { dpop: used } })).status).toBe(400);
      const fresh = await poll(server, second, {}, { headers: { dpop: await dpopProof() } });
      expect(fresh.status).toBe(200);
      expect(fresh.body.token_type).toBe('DPoP');
    },
    bareShows: 400,
    given: { features: { dPoP: { enabled: true } } },
  });

  const device = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  async function dpopProof(): Promise<string> {
    return new SignJWT({ htm: 'POST', htu: `${ISSUER}/token`, jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(device.publicKey) })
      .setIssuedAt()
      .sign(device.privateKey);
  }
});

describe('a client that is not registered for CIBA, with the plugin', () => {
  it('is told unauthorized_client at the token endpoint too [TOK-12]', async () => {
    const server = pluginServer({
      config: { clients: [webClient, pollClient('till')] },
      ciba: { verifyUserCode: undefined },
    });
    const authReqId = await asked(server);
    const refused = await post(
      server,
      '/token',
      { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: authReqId },
      { client: 'web' },
    );
    expect({ status: refused.status, error: refused.body.error }).toEqual({
      status: 400,
      error: 'unauthorized_client',
    });
    await server.close();
  });
});
