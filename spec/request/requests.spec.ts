import { errors } from 'oidc-provider';
import type { Approval } from 'oidc-provider-ciba';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { asked, introspect, type PluginServer, poll } from '../support/server.js';

const GOLD = 'urn:example:gold';

/** Payment details, for one resource. */
const payments = {
  resourceIndicators: {
    enabled: true,
    getResourceServerInfo: () => ({ scope: 'openid', accessTokenFormat: 'opaque' as const }),
  },
  richAuthorizationRequests: {
    enabled: true,
    types: { payment: { validate: () => {} } },
    authorizationDetailsForAccessToken: (_ctx: unknown, _token: unknown, source?: { rar?: unknown }) =>
      source?.rar,
    authorizationDetailsForGrantSource: () => undefined,
    authorizationDetailsForIntrospection: () => undefined,
  } as never,
};

onEveryStore('a decision', (make) => {
  const pending = async (server: PluginServer, params = {}): Promise<[authReqId: string, handle: string]> => {
    const authReqId = await asked(server, params);
    return [authReqId, server.ciba.requests.handleOf(authReqId)];
  };

  it('is the first one, and every later one is told which that was [UX-4]', async () => {
    const server = make();
    const { requests } = server.ciba;
    const decide = {
      approved: (handle: string) => requests.approve(handle, { accountId: 'alice' }),
      denied: (handle: string) => requests.deny(handle, { accountId: 'alice' }),
      cancelled: (handle: string) => requests.cancel(handle),
    };
    for (const [outcome, first] of Object.entries(decide)) {
      const [, handle] = await pending(server);
      await first(handle);
      for (const second of Object.values(decide)) {
        await expect(second(handle)).rejects.toMatchObject({
          name: 'CibaError',
          code: 'already_decided',
          outcome,
        });
      }
      expect((await requests.get(handle))?.status).toBe(outcome);
    }
  });

  it('comes too late after the end, and after the redemption [UX-5]', async () => {
    const server = make();
    const { requests } = server.ciba;
    const [, over] = await pending(server, { requested_expiry: '10' });
    server.advance(11);
    await expect(requests.approve(over, { accountId: 'alice' })).rejects.toMatchObject({
      code: 'expired',
      outcome: 'expired',
    });
    await expect(requests.deny(over, { accountId: 'alice' })).rejects.toMatchObject({ code: 'expired' });
    await expect(requests.cancel(over)).rejects.toMatchObject({ code: 'expired' });

    const [authReqId, handle] = await pending(server);
    await server.approve(authReqId);
    await poll(server, authReqId);
    await expect(requests.deny(handle, { accountId: 'alice' })).rejects.toMatchObject({
      code: 'already_decided',
      outcome: 'approved',
    });
    server.advance(1000);
    await expect(requests.approve(over, { accountId: 'alice' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is the account’s alone, and leaves nothing behind when it was somebody else’s [UX-3]', async () => {
    const server = make();
    const [authReqId, handle] = await pending(server);
    const { requests } = server.ciba;
    await expect(requests.approve(handle, { accountId: 'bob' })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(requests.deny(handle, { accountId: 'bob' })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(requests.deny(handle, { accountId: '' })).rejects.toMatchObject({
      code: 'invalid_decision',
    });
    await expect(requests.approve(handle, {} as Approval)).rejects.toMatchObject({ name: 'CibaError' });
    expect(server.store.count('Grant')).toBe(0);
    expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
  });

  it('of no request is not found', async () => {
    const { requests } = make().ciba;
    const nobody = requests.handleOf('nobody asked this');
    await expect(requests.approve(nobody, { accountId: 'alice' })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(requests.deny(nobody, { accountId: 'alice' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(requests.cancel(nobody)).rejects.toMatchObject({ code: 'not_found' });
    expect(await requests.get(nobody)).toBe(undefined);
    expect(await requests.list('nobody')).toEqual([]);
  });

  it('that would widen the scope is refused, and makes no grant', async () => {
    const server = make();
    const [, handle] = await pending(server, { scope: 'openid profile' });
    for (const scope of ['openid email', 'profile', '', 'openid  offline_access']) {
      await expect(server.ciba.requests.approve(handle, { accountId: 'alice', scope })).rejects.toMatchObject(
        {
          code: 'invalid_decision',
        },
      );
    }
    expect(server.store.count('Grant')).toBe(0);
    expect((await server.ciba.requests.get(handle))?.status).toBe('pending');
  });

  it.each([
    ['an error that is no code', { error: 'No!' }],
    ['a description that is too long', { description: 'x'.repeat(257) }],
  ])('to deny with %s is refused', async (_what, denial) => {
    const server = make();
    const [, handle] = await pending(server);
    await expect(server.ciba.requests.deny(handle, { accountId: 'alice', ...denial })).rejects.toMatchObject({
      code: 'invalid_decision',
    });
    expect((await server.ciba.requests.get(handle))?.status).toBe('pending');
  });

  it('must reach an acr that the client calls essential, whatever the options say', async () => {
    const server = make({ features: { claimsParameter: { enabled: true } } });
    const claims = JSON.stringify({ id_token: { acr: { essential: true, value: GOLD } } });
    const [authReqId, handle] = await pending(server, { claims });
    const { requests } = server.ciba;
    for (const acr of [undefined, 'urn:example:bronze']) {
      await expect(requests.approve(handle, { accountId: 'alice', acr })).rejects.toMatchObject({
        code: 'acr_not_met',
      });
    }
    expect(server.store.count('Grant')).toBe(0);
    await requests.approve(handle, { accountId: 'alice', acr: GOLD });
    expect((await poll(server, authReqId)).status).toBe(200);
  });

  it('must reach an essential acr also when the client prefers others in acr_values', async () => {
    const server = make({ features: { claimsParameter: { enabled: true } } });
    const claims = JSON.stringify({ id_token: { acr: { essential: true, values: [GOLD] } } });
    const [, handle] = await pending(server, { claims, acr_values: 'urn:example:silver' });
    await expect(
      server.ciba.requests.approve(handle, { accountId: 'alice', acr: 'urn:example:silver' }),
    ).rejects.toMatchObject({ code: 'acr_not_met' });
    await server.ciba.requests.approve(handle, { accountId: 'alice', acr: GOLD });
  });

  it('does not have to reach an essential acr where the server does not take the claims parameter', async () => {
    const server = make();
    const claims = JSON.stringify({ id_token: { acr: { essential: true, values: [GOLD] } } });
    const [, handle] = await pending(server, { claims });
    await server.ciba.requests.approve(handle, { accountId: 'alice' });
    expect((await server.ciba.requests.get(handle))?.status).toBe('approved');
  });

  it('must reach one of acr_values only where requireAcr says so [REQ-11] [REQ-12]', async () => {
    const strict = make({ ciba: { requireAcr: true } });
    const [, handle] = await pending(strict, { acr_values: `${GOLD} urn:example:silver` });
    await expect(
      strict.ciba.requests.approve(handle, { accountId: 'alice', acr: 'urn:example:bronze' }),
    ).rejects.toMatchObject({ code: 'acr_not_met' });
    await strict.ciba.requests.approve(handle, { accountId: 'alice', acr: 'urn:example:silver' });

    const lenient = make();
    const [authReqId] = await pending(lenient, { acr_values: GOLD });
    await lenient.approve(authReqId);
    expect(lenient.events.at(-1)).toMatchObject({ name: 'request.approved', event: { acrMet: false } });
  });

  it('frees the place that the request took in the account’s list, however it ends', async () => {
    const server = make({ ciba: { limits: { pendingPerAccount: 1 } } });
    const { requests } = server.ciba;
    const [, first] = await pending(server);
    await requests.approve(first, { accountId: 'alice' });
    const [, second] = await pending(server);
    await requests.deny(second, { accountId: 'alice' });
    const [, third] = await pending(server);
    await requests.cancel(third);
    const [, fourth] = await pending(server);
    expect((await requests.list('alice')).map(({ handle }) => handle)).toEqual([fourth]);
  });

  it('is asked for in the order in which the requests end', async () => {
    const server = make();
    const [, late] = await pending(server, { requested_expiry: '500' });
    const [, soon] = await pending(server, { requested_expiry: '100' });
    const [, middle] = await pending(server, { requested_expiry: '300' });
    const listed = await server.ciba.requests.list('alice');
    expect(listed.map(({ handle }) => handle)).toEqual([soon, middle, late]);
    server.advance(301);
    expect((await server.ciba.requests.list('alice')).map(({ handle }) => handle)).toEqual([late]);
  });

  it('may bring a grant of the server’s own', async () => {
    const server = make();
    const [authReqId, handle] = await pending(server, { scope: 'openid profile' });
    const grant = new server.provider.Grant({ accountId: 'alice', clientId: 'till' });
    grant.addOIDCScope('openid');
    const grantId = await grant.save();
    await server.ciba.requests.approve(handle, { accountId: 'alice', grantId });
    expect((await poll(server, authReqId)).body.scope).toBe('openid');
    expect(server.store.count('Grant')).toBe(1);
  });

  it('with a grant that is not of this account and client, or is not there, is refused [UX-3]', async () => {
    const server = make();
    const [authReqId, handle] = await pending(server);
    const { Grant } = server.provider;
    const others = [
      new Grant({ accountId: 'bob', clientId: 'till' }),
      new Grant({ accountId: 'alice', clientId: 'kiosk' }),
    ];
    const ids = ['unknown', ...(await Promise.all(others.map((grant) => grant.save())))];
    for (const grantId of ids) {
      const approval = server.ciba.requests.approve(handle, { accountId: 'alice', grantId });
      await expect(approval).rejects.toMatchObject({ code: 'invalid_decision' });
    }
    expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
  });

  it('that is to end with a session needs the grant of that session, without which no token could be issued', async () => {
    const server = make();
    const [, handle] = await pending(server);
    const approval = { accountId: 'alice', sessionUid: 'session', expiresWithSession: true };
    await expect(server.ciba.requests.approve(handle, approval)).rejects.toMatchObject({
      code: 'invalid_decision',
    });
    expect((await server.ciba.requests.get(handle))?.status).toBe('pending');
  });

  it('grants the details that were asked for where it makes the grant, and none that nobody named beside a grant of the server’s own [RAR-6]', async () => {
    const clients = [pollClient('till', { authorization_details_types: ['payment'] })];
    const server = make({ config: { clients }, features: payments });
    const detail = { type: 'payment', amount: '12.50' };
    const asking = { authorization_details: JSON.stringify([detail]), resource: 'urn:example:payments' };
    const granted = async (approve: (handle: string) => Promise<void>): Promise<unknown> => {
      const [authReqId, handle] = await pending(server, asking);
      await approve(handle);
      const { status, body } = await poll(server, authReqId);
      expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
      return body.authorization_details;
    };
    const { requests } = server.ciba;
    const grant = new server.provider.Grant({ accountId: 'alice', clientId: 'till' });
    grant.addOIDCScope('openid');
    const grantId = await grant.save();

    expect(await granted((handle) => requests.approve(handle, { accountId: 'alice' }))).toEqual([detail]);
    expect(
      await granted((handle) => requests.approve(handle, { accountId: 'alice', grantId })),
    ).toBeUndefined();
    const rar = [detail];
    expect(await granted((handle) => requests.approve(handle, { accountId: 'alice', grantId, rar }))).toEqual(
      rar,
    );
  });
});

onEveryStore(
  'provider.backchannelResult() takes the same road, with its signature and its errors',
  (make) => {
    const grantFor = async (server: PluginServer, accountId = 'alice', clientId = 'till') => {
      const grant = new server.provider.Grant({ accountId, clientId });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    };

    it('approves by id or by model, with a grant or its id', async () => {
      const server = make({
        config: { acrValues: [GOLD], claims: { openid: ['sub', 'acr'], profile: ['name'] } },
      });
      const { provider } = server;
      const grants = [await grantFor(server), await grantFor(server)] as const;
      const [byId, byModel] = [await asked(server, { acr_values: GOLD }), await asked(server)];
      await provider.backchannelResult(byId, grants[0].jti, { acr: GOLD });
      const model = await provider.BackchannelAuthenticationRequest.find(byModel);
      await provider.backchannelResult(model as never, grants[1] as never);

      const { body } = await poll(server, byId);
      expect(JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url').toString()).acr).toBe(GOLD);
      expect((await introspect(server, (await poll(server, byModel)).body.access_token)).active).toBe(true);
      expect(server.heard.filter((name) => name === 'request.approved').length).toBe(2);
    });

    it('denies with an error of oidc-provider', async () => {
      const server = make();
      const authReqId = await asked(server);
      await server.provider.backchannelResult(authReqId, new errors.AccessDenied('not my order'));
      expect((await poll(server, authReqId)).body).toEqual({
        error: 'access_denied',
        error_description: 'not my order',
      });
      const other = await asked(server);
      await server.provider.backchannelResult(
        other,
        new errors.CustomOIDCProviderError('transaction_failed', 'why'),
      );
      expect((await poll(server, other)).body).toEqual({
        error: 'transaction_failed',
        error_description: 'why',
      });
    });

    it('refuses a second decision and a late one [UX-4] [UX-5]', async () => {
      const server = make();
      const authReqId = await asked(server, { requested_expiry: '10' });
      const grant = await grantFor(server);
      await server.provider.backchannelResult(authReqId, new errors.AccessDenied());
      await expect(server.provider.backchannelResult(authReqId, grant.jti)).rejects.toMatchObject({
        code: 'already_decided',
        outcome: 'denied',
      });
      const late = await asked(server, { requested_expiry: '10' });
      server.advance(12);
      await expect(server.provider.backchannelResult(late, grant.jti)).rejects.toMatchObject({
        code: 'expired',
      });
    });

    it.each([
      ['no request', '', TypeError, 'invalid "request" argument'],
      ['an unknown request', 'unknown', Error, 'BackchannelAuthenticationRequest not found'],
    ])('throws as ever for %s', async (_what, request, type, message) => {
      const call = make().provider.backchannelResult(request, 'grant');
      await expect(call).rejects.toBeInstanceOf(type);
      await expect(call).rejects.toThrow(message);
    });

    it('throws as ever for a grant that does not fit', async () => {
      const server = make();
      const authReqId = await asked(server);
      const give = (result: unknown) => server.provider.backchannelResult(authReqId, result as string);
      await expect(give('unknown')).rejects.toThrow('Grant not found');
      await expect(give(undefined)).rejects.toThrow('invalid "result" argument');
      await expect(give(new Error('no'))).rejects.toThrow('invalid "result" argument');
      await expect(give((await grantFor(server, 'bob')).jti)).rejects.toThrow('accountId mismatch');
      await expect(give((await grantFor(server, 'alice', 'kiosk')).jti)).rejects.toThrow('client mismatch');
      expect((await poll(server, authReqId)).body.error).toBe('authorization_pending');
    });

    it('is the only way: a model that is saved or consumed by hand is refused', async () => {
      const server = make();
      const authReqId = await asked(server);
      const found = await server.provider.BackchannelAuthenticationRequest.find(authReqId);
      const model = found as unknown as { consume(): Promise<void>; save(ttl: number): Promise<string> };
      await expect(model.consume()).rejects.toThrow('redeemed at the token endpoint only');
      await expect(model.save(60)).rejects.toThrow('ciba.requests or provider.backchannelResult() only');
      await found?.destroy();
      expect((await poll(server, authReqId)).body.error).toBe('invalid_grant');
      expect(await server.ciba.requests.list('alice')).toEqual([]);
    });
  },
);
