import type Provider from 'oidc-provider';
import { acceptance, mends } from '../support/native-row.js';
import { ask, asked, bareServer, pluginServer, poll, type Server } from '../support/server.js';

describe('native row 9: polls of one request at the same time', () => {
  mends('one of eight gets tokens [TOK-7]', {
    check: async (server) => {
      const authReqId = await asked(server);
      await server.approve(authReqId);
      server.store.gather('BackchannelAuthenticationRequest', 8);
      const answers = await Promise.all(Array.from({ length: 8 }, () => poll(server, authReqId)));
      expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    },
    bareShows: 8,
  });
});

describe('native row 10: an approval that a slow caller repeats with an old copy', () => {
  mends('it does not bring a used request back to life [TOK-6]', {
    check: async (server) => {
      const { provider } = server;
      const authReqId = await asked(server);
      const copy = await provider.BackchannelAuthenticationRequest.find(authReqId);
      await server.approve(authReqId);
      expect((await poll(server, authReqId)).status).toBe(200);
      await acceptance(approveAgain(provider, copy));
      expect((await poll(server, authReqId)).status).toBe(400);
    },
    bareShows: 200,
  });
});

describe('native row 11: a second decision, and a late one', () => {
  mends('an approval after a denial is refused [UX-4]', {
    check: async (server) => {
      const authReqId = await asked(server);
      await server.deny(authReqId);
      expect(await acceptance(server.approve(authReqId))).toBe('refused');
      expect((await poll(server, authReqId)).body.error).toBe('access_denied');
    },
    bareShows: 'accepted',
  });

  mends('a second approval is refused [UX-4]', {
    check: async (server) => {
      const authReqId = await asked(server);
      await server.approve(authReqId);
      expect(await acceptance(server.approve(authReqId))).toBe('refused');
      expect((await poll(server, authReqId)).status).toBe(200);
    },
    bareShows: 'accepted',
  });

  mends('an approval after the end is refused [UX-5]', {
    // A store that keeps a record for a while after its end, as many do.
    check: async (server) => {
      const authReqId = await asked(server, { requested_expiry: '10' });
      const copy = await server.provider.BackchannelAuthenticationRequest.find(authReqId);
      server.advance(12);
      expect(await acceptance(approveAgain(server.provider, copy))).toBe('refused');
    },
    bareShows: 'accepted',
  });
});

describe('native row 30: what the operator hears', () => {
  const steps = (server: Server): string[] =>
    ['approved', 'settled', 'denied'].filter((step) =>
      server.heard.some((name) => name.endsWith(`.${step}`)),
    );

  mends('the decision and the outcome are events', {
    check: async (server) => {
      const [yes, no] = [await asked(server), await asked(server)];
      await server.approve(yes);
      await poll(server, yes);
      await server.deny(no);
      expect(steps(server)).toEqual(['approved', 'settled', 'denied']);
    },
    bareShows: [],
  });
});

describe('native row 31: what the client asked for and what it got', () => {
  mends('an approval below the acr asked for is refused where the server insists [REQ-12]', {
    check: async (server) => {
      const authReqId = await asked(server, { acr_values: 'urn:example:gold' });
      expect(await acceptance(server.approve(authReqId, { acr: 'urn:example:bronze' }))).toBe('refused');
      expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
    },
    bareShows: 'accepted',
    plugin: { ciba: { requireAcr: true } },
  });

  mends('an approval without the acr that the client called essential is refused', {
    check: async (server) => {
      const claims = { id_token: { acr: { essential: true, values: ['urn:example:gold'] } } };
      const authReqId = await asked(server, { claims: JSON.stringify(claims) });
      expect(await acceptance(server.approve(authReqId))).toBe('refused');
      expect(await acceptance(server.approve(authReqId, { acr: 'urn:example:gold' }))).toBe('accepted');
    },
    bareShows: 'accepted',
    given: { features: { claimsParameter: { enabled: true } } },
  });

  mends('a client has an interval and a life of its own', {
    check: async (server) => {
      const { body } = await ask(server, {}, { client: 'patient' });
      expect({ interval: body.interval, expires_in: body.expires_in }).toEqual({
        interval: 20,
        expires_in: 60,
      });
    },
    bareShows: { interval: undefined, expires_in: 300 },
  });

  it('a requested_expiry that is cut is told to the operator with what was asked for [REQ-17]', async () => {
    const server = pluginServer();
    expect((await ask(server, { requested_expiry: '3600' })).body.expires_in).toBe(600);
    expect(server.events.find(({ name }) => name === 'request.accepted')?.event).toMatchObject({
      expiresIn: 600,
      requestedExpiry: 3600,
    });
    await server.close();
  });
});

async function approveAgain(provider: Provider, copy: unknown): Promise<void> {
  const { clientId, accountId } = copy as { clientId: string; accountId: string };
  const grant = new provider.Grant({ clientId, accountId });
  grant.addOIDCScope('openid');
  await grant.save();
  await provider.backchannelResult(copy as never, grant as never);
}

// The two kinds of server are what the rows compare: both must be able to complete a flow.
describe.each([
  ['bare', () => bareServer()],
  ['plugin', () => pluginServer()],
] as const)('a request on the %s server', (_kind, make) => {
  it('is asked, approved and redeemed', async () => {
    const server: Server = make();
    const authReqId = await asked(server);
    await server.approve(authReqId);
    expect((await poll(server, authReqId)).body).toMatchObject({ token_type: 'Bearer', scope: 'openid' });
    await server.close();
  });
});
