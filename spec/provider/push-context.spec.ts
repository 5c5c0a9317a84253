import { AsyncLocalStorage } from 'node:async_hooks';
import Provider, { type KoaContextWithOIDC } from 'oidc-provider';
import { issuingContextOf } from '../../lib/provider/issuing-context.js';
import { baseConfiguration } from '../support/configuration.js';
import { PlainStore } from '../support/plain-adapter.js';
import { approved, type PushServer, pushed, pushServer } from './push-server.js';

const open: PushServer[] = [];
const serve = (options: Parameters<typeof pushServer>[0] = {}): PushServer => {
  const server = pushServer(options);
  open.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

/** What a hook finds in the context that it is given. */
const seenIn = (ctx: KoaContextWithOIDC | undefined): object => ({
  route: ctx?.oidc.route,
  client: ctx?.oidc.client?.clientId,
  account: ctx?.oidc.account?.accountId,
  grant: ctx?.oidc.entities.Grant?.accountId,
  request: ctx?.oidc.entities.BackchannelAuthenticationRequest?.jti,
  scope: ctx?.oidc.params?.['scope'],
});
const WHOLE = {
  route: 'backchannel_authentication',
  client: 'pusher',
  account: 'alice',
  grant: 'alice',
  request: 'the-auth-req-id-of-the-request',
  scope: 'openid',
};

describe('the hooks of the server, while tokens are issued that no request asks for', () => {
  it('find the client, the account, the grant and the request in their context', async () => {
    const seen: Record<string, object> = {};
    const server = serve({
      config: {
        extraTokenClaims: (ctx) => {
          seen['extraTokenClaims'] = seenIn(ctx);
          return { tenant: ctx.oidc.client?.clientId };
        },
        ttl: {
          AccessToken: (ctx) => {
            seen['ttl.AccessToken'] = seenIn(ctx);
            return 60;
          },
          Grant: 7200,
          RefreshToken: 7200,
          IdToken: (ctx) => {
            seen['ttl.IdToken'] = seenIn(ctx);
            return 60;
          },
        },
        formats: {
          bitsOfOpaqueRandomness: (ctx, token) => {
            if (token.kind === 'AccessToken') seen['formats.bitsOfOpaqueRandomness'] = seenIn(ctx);
            return 256;
          },
        },
        issueRefreshToken: async (ctx, client, source) => {
          seen['issueRefreshToken'] = seenIn(ctx);
          return client.clientId === 'pusher' && source.scopes.has('openid');
        },
      },
    });
    const response = await pushed(server);
    expect(response).toMatchObject({ expires_in: 60, refresh_token: expect.any(String) });
    expect(seen).toEqual({
      extraTokenClaims: WHOLE,
      'ttl.AccessToken': WHOLE,
      'ttl.IdToken': WHOLE,
      'formats.bitsOfOpaqueRandomness': WHOLE,
      issueRefreshToken: WHOLE,
    });
    expect(await server.provider.AccessToken.find(String(response['access_token']))).toMatchObject({
      extra: { tenant: 'pusher' },
    });
  });

  it('are each in the context of their own push', async () => {
    const seen: unknown[] = [];
    const server = serve({
      config: {
        extraTokenClaims: async (ctx, token) => {
          await new Promise((resolve) => setImmediate(resolve));
          seen.push([ctx.oidc.entities.BackchannelAuthenticationRequest?.jti, Reflect.get(token, 'sid')]);
          return undefined;
        },
      },
    });
    await Promise.all(
      ['one', 'two', 'three'].map(async (authReqId) => {
        const approval = await approved(server, { decision: { sid: authReqId } });
        const { grantId } = (await approved(server)).decision;
        await server.tokens.issue({ ...approval, authReqId, decision: { grantId, sid: authReqId } });
      }),
    );
    expect(seen.sort()).toEqual([
      ['one', 'one'],
      ['three', 'three'],
      ['two', 'two'],
    ]);
  });

  it('leave nothing of it where the push was asked for', async () => {
    const server = serve();
    await pushed(server);
    expect(Provider.ctx).toBeUndefined();
  });

  it('keep what the server has put around the push, such as its tracing', async () => {
    const trace = new AsyncLocalStorage<string>();
    let seen: string | undefined;
    const server = serve({
      config: {
        extraTokenClaims: () => {
          seen = trace.getStore();
          return undefined;
        },
      },
    });
    const approval = await approved(server);
    await trace.run('trace 1', () => server.tokens.issue(approval));
    expect(seen).toBe('trace 1');
  });
});

describe("the server's own middleware", () => {
  it('is not called for a push', async () => {
    const server = serve();
    let called = 0;
    server.provider.use(async (_ctx, next) => {
      called += 1;
      await next();
    });
    await pushed(server);
    expect(called).toBe(0);
  });
});

describe('the context that tokens are issued in', () => {
  it.each([
    ['https://op.example', 'https://op.example/token'],
    ['http://op.example:8080/tenant', 'http://op.example:8080/tenant/token'],
  ])('has the addresses of the issuer %s', async (issuer, address) => {
    const provider = new Provider(issuer, {
      ...baseConfiguration(),
      adapter: new PlainStore(Date.now).adapter,
    });
    const { ctx, run } = await issuingContextOf(provider);
    expect(ctx.oidc.urlFor('token')).toBe(address);
    expect(await run(async () => Provider.ctx === ctx)).toBe(true);
  });

  it('is there, though not for hooks that are not given it, where the router answers otherwise', async () => {
    const server = serve();
    const router = server.provider.middleware.pop();
    server.provider.middleware.push(async () => {});
    const { ctx, run } = await issuingContextOf(server.provider);
    expect(await run(async () => Provider.ctx)).toBeUndefined();
    expect(ctx.oidc.provider).toBe(server.provider);
    const response = await pushed(server);
    server.provider.middleware.splice(-1, 1, router as never);
    expect(response).toMatchObject({ id_token: expect.any(String) });
  });
});
