import express, { type RequestHandler } from 'express';
import Provider, { type Configuration, errors } from 'oidc-provider';
import { type ConfigurationWithCiba, createCiba } from 'oidc-provider-ciba';
import request from 'supertest';
import { accountOf, baseConfiguration, findAccount, pollClient } from '../support/configuration.js';
import { PlainStore } from '../support/plain-adapter.js';
import { ask, asked, ISSUER, type PluginServer, pluginServer, poll } from '../support/server.js';

const open: PluginServer[] = [];
const serve = (options: Parameters<typeof pluginServer>[0] = {}): PluginServer => {
  const server = pluginServer(options);
  open.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

const plain = (): Configuration => ({
  ...baseConfiguration(),
  adapter: new PlainStore(() => Date.now()).adapter,
});

const enabled = (config: Configuration = plain()): ConfigurationWithCiba =>
  ({ ...config, features: { ...config.features, ciba: { enabled: true } } }) as ConfigurationWithCiba;

describe('configure() and the configuration that it is given', () => {
  it('changes nothing in it, at any depth', async () => {
    const given = deepFreeze({
      ...enabled({ ...plain(), clients: [pollClient('till')], extraParams: ['tenant'] }),
      extraClientMetadata: { properties: ['tier'] },
      formats: { bitsOfOpaqueRandomness: 128 },
    });
    const ciba = createCiba();
    const made = ciba.configure(given);
    expect(made).not.toBe(given);
    expect(made.extraParams).toBe(given.extraParams);
    new Provider(ISSUER, made);
    await ciba.close();
  });

  it('is not needed by the plugin where the flag is off: the same object comes back, the router is empty', async () => {
    const ciba = createCiba();
    const given: ConfigurationWithCiba = plain() as ConfigurationWithCiba;
    expect(ciba.configure(given)).toBe(given);
    const provider = new Provider(ISSUER, given as Configuration);
    const router = ciba.router(provider);
    expect(router.stack).toEqual([]);
    const app = express().use(router).use(provider.callback());
    expect((await request(app).post('/backchannel')).status).toBe(404);
    const discovery = await request(app).get('/.well-known/openid-configuration');
    expect(discovery.body).not.toHaveProperty('backchannel_authentication_endpoint');
    await ciba.close();
  });

  it.each([undefined, null, 'config'])('must be an object, and %p is not', (config) => {
    expect(() => createCiba().configure(config as never)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: 'configuration must be an object' }),
    );
  });

  it.each([
    ['resolveLoginHint', 'processLoginHint', (): string => 'alice'],
    ['verifyUserCode', 'verifyUserCode', (): boolean => true],
  ] as const)('may not say twice who does it: %s and %s', (option, hook, given) => {
    const config = enabled();
    const twice = {
      ...config,
      features: { ...config.features, ciba: { enabled: true, [hook]: async () => undefined } },
    } as ConfigurationWithCiba;
    expect(() => createCiba({ [option]: given }).configure(twice)).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: expect.stringContaining(`${option} and features.ciba.${hook}`),
      }),
    );
  });
});

describe('the server’s own parts go on working', () => {
  it('an adapter that is a class', async () => {
    const store = new PlainStore(() => Date.now());
    const models: string[] = [];
    class OwnAdapter {
      constructor(name: string) {
        models.push(name);
        Object.assign(this, methodsOf(store.adapter(name)));
      }
    }
    const server: PluginServer = serve({ config: { adapter: OwnAdapter as never } });
    await wholeFlow(server);
    expect(store.count('AccessToken')).toBe(1);
    expect(models).toContain('AccessToken');
    expect(models).not.toContain('BackchannelAuthenticationRequest');
  });

  it('an adapter that is a plain function', async () => {
    const store = new PlainStore(() => Date.now());
    const server = serve({ config: { adapter: (name: string) => store.adapter(name) } });
    await wholeFlow(server);
    expect(store.count('AccessToken')).toBe(1);
    expect(store.count('BackchannelAuthenticationRequest')).toBe(0);
  });

  it('no adapter at all', async () => {
    await wholeFlow(serve({ config: { adapter: undefined as never } }));
  });

  it('a ttl that is a number', async () => {
    const server = serve({ config: { ttl: { BackchannelAuthenticationRequest: 120 } } });
    expect((await ask(server)).body.expires_in).toBe(120);
    expect((await ask(server, { requested_expiry: '90' })).body.expires_in).toBe(90);
  });

  it('a ttl that is a function, asked with the request and the client', async () => {
    const seen: unknown[] = [];
    const server = serve({
      config: {
        ttl: {
          BackchannelAuthenticationRequest: (ctx, model, client) => {
            seen.push([ctx.oidc.route, model.kind, client.clientId]);
            return client.clientId === 'till' ? 77 : 55;
          },
        },
      },
    });
    expect((await ask(server)).body.expires_in).toBe(77);
    expect((await ask(server, {}, { client: 'kiosk' })).body.expires_in).toBe(55);
    expect(seen).toContainEqual(['backchannel_authentication', 'BackchannelAuthenticationRequest', 'till']);
  });

  it('client metadata with a validator', async () => {
    const server = serve({
      config: {
        clients: [pollClient('till', { tier: 'gold' })],
        extraClientMetadata: {
          properties: ['tier'],
          validator: (_ctx, key, value) => {
            if (key === 'tier' && value !== undefined && value !== 'gold') {
              throw new errors.InvalidClientMetadata('tier must be gold');
            }
          },
        },
      },
      features: { registration: { enabled: true } },
    });
    expect((await server.provider.Client.find('till'))?.['tier']).toBe('gold');
    const refused = await request(server.app)
      .post('/reg')
      .send({ redirect_uris: ['https://a.example/cb'], tier: 'tin' });
    expect({ status: refused.status, description: refused.body.error_description }).toEqual({
      status: 400,
      description: 'tier must be gold',
    });
  });

  it('findAccount, which is told the account that the hint names', async () => {
    const seen: string[] = [];
    const server = serve({
      config: {
        findAccount: async (ctx, id) => {
          seen.push(id);
          return findAccount(ctx, id);
        },
      },
    });
    await ask(server, { login_hint: 'bob@op.example' });
    expect(seen).toEqual(['bob']);
  });

  it('every hook of features.ciba', async () => {
    const calls: string[] = [];
    const server = serve({
      ciba: { verifyUserCode: undefined },
      hooks: {
        processLoginHint: async (_ctx, hint) => {
          calls.push(`hint ${hint}`);
          return accountOf(hint ?? '');
        },
        processLoginHintToken: async (_ctx, token) => {
          calls.push(`token ${token}`);
          return 'bob';
        },
        validateBindingMessage: async (_ctx, message) => void calls.push(`message ${message}`),
        validateRequestContext: async (_ctx, context) => void calls.push(`context ${context}`),
        verifyUserCode: async (_ctx, { accountId }, code) => void calls.push(`code ${accountId} ${code}`),
        triggerAuthenticationDevice: async (_ctx, _request, { accountId }, { clientId }) =>
          void calls.push(`device ${accountId} ${clientId}`),
      },
    });
    const params = { binding_message: 'm', request_context: 'c', user_code: 'u' };
    expect((await ask(server, params, { client: 'coder' })).status).toBe(200);
    const token = { login_hint: undefined, login_hint_token: 't' };
    expect((await ask(server, token)).status).toBe(200);
    expect(calls).toEqual([
      'message m',
      'context c',
      'hint alice',
      'code alice u',
      'device alice coder',
      'message undefined',
      'context undefined',
      'token t',
      'code bob undefined',
      'device bob till',
    ]);
  });

  it('fewer bits in the tokens, but not in an auth_req_id [ACK-3]', async () => {
    const server = serve({ config: { formats: { bitsOfOpaqueRandomness: 128 } } });
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const { access_token: accessToken } = (await poll(server, authReqId)).body;
    expect(authReqId.length).toBeGreaterThanOrEqual(43);
    expect(accessToken.length).toBeLessThan(43);
  });

  it('middleware in front of the router, which sees every request, and of the provider, which sees all but repeated polls', async () => {
    const server = serve();
    const app = express();
    const seen: Record<string, string[]> = { router: [], provider: [] };
    const see =
      (what: string): RequestHandler =>
      (req, _res, next) => {
        seen[what]?.push(req.path);
        next();
      };
    app.use(see('router'), server.ciba.router(server.provider));
    app.use(see('provider'), server.provider.callback());
    const guarded = { ...server, app };
    const authReqId = await asked(guarded);
    await poll(guarded, authReqId);
    await poll(guarded, authReqId);
    expect(seen).toEqual({
      router: ['/backchannel', '/token', '/token'],
      provider: ['/backchannel', '/token'],
    });
  });
});

describe('the order of the calls', () => {
  it('router() before configure() is refused', () => {
    const provider = new Provider(ISSUER, plain());
    expect(() => createCiba().router(provider)).toThrow(expect.objectContaining({ code: 'not_attached' }));
  });

  it('configure() twice is refused: one ciba is for one provider', () => {
    const ciba = createCiba();
    ciba.configure(enabled());
    expect(() => ciba.configure(enabled())).toThrow(expect.objectContaining({ code: 'not_attached' }));
  });

  it('router() with a second provider is refused, and with the first one is the same router', () => {
    const ciba = createCiba();
    const config = ciba.configure(enabled());
    const [one, other] = [new Provider(ISSUER, config), new Provider(ISSUER, config)];
    const router = ciba.router(one);
    expect(ciba.router(one)).toBe(router);
    expect(() => ciba.router(other)).toThrow(expect.objectContaining({ code: 'not_attached' }));
  });

  it('without the router nothing is accepted', async () => {
    const ciba = createCiba({ resolveLoginHint: accountOf });
    const provider = new Provider(ISSUER, ciba.configure(enabled()));
    const answer = await request(express().use(provider.callback()))
      .post('/backchannel')
      .type('form')
      .auth('till', 'till-secret')
      .send({ scope: 'openid', login_hint: 'alice' });
    expect(answer.status).toBe(500);
    expect(await ciba.requests.list('alice')).toEqual([]);
    await ciba.close();
  });

  it('approve() before router() finds no request', async () => {
    const ciba = createCiba();
    await expect(ciba.requests.approve('A'.repeat(22), { accountId: 'alice' })).rejects.toMatchObject({
      code: 'not_found',
    });
    await ciba.close();
  });
});

async function wholeFlow(server: PluginServer): Promise<void> {
  const authReqId = await asked(server);
  await server.approve(authReqId);
  expect((await poll(server, authReqId)).status).toBe(200);
}

/** What a class adapter of the server's would have as methods. */
function methodsOf(adapter: object): object {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(adapter)).filter(
    (name) => name !== 'constructor',
  );
  return Object.fromEntries(
    names.map((name) => [
      name,
      (Reflect.get(adapter, name) as (...args: unknown[]) => unknown).bind(adapter),
    ]),
  );
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null && !Object.isFrozen(member)) deepFreeze(member);
  }
  return Object.freeze(value);
}

describe('what a server must not lose by accident', () => {
  it('a validator of client metadata that returns a promise is refused, as it is without the plugin', async () => {
    const server = pluginServer({
      config: {
        clients: [pollClient('till')],
        extraClientMetadata: {
          properties: ['own'],
          // What a server in JavaScript may have: the types refuse it.
          validator: (async () => {}) as unknown as () => undefined,
        },
      },
    });
    await expect(server.provider.Client.find('till')).rejects.toThrow('must be a synchronous function');
    await server.close();
  });

  it('a provider that was not made with the configuration is not attached', async () => {
    const ciba = createCiba();
    const config = ciba.configure({ features: { ciba: { enabled: true } } });
    const store = new PlainStore(() => Date.now());
    const provider = new Provider(ISSUER, { ...config, adapter: store.adapter });
    expect(() => ciba.router(provider)).toThrow('was not made with the configuration of ciba.configure()');
    await ciba.close();
  });

  it("the server's own check of user codes is asked for every client [UC-4]", async () => {
    const verifyUserCode = (_ctx: unknown, _account: unknown, userCode?: string) => {
      if (userCode !== '1') throw new errors.InvalidUserCode();
    };
    const server = pluginServer({ hooks: { verifyUserCode }, ciba: { verifyUserCode: undefined } });
    expect((await ask(server, { user_code: '2' })).body.error).toBe('invalid_user_code');
    expect((await ask(server)).body.error).toBe('invalid_user_code');
    expect((await ask(server, { user_code: '1' })).status).toBe(200);
    await server.close();
  });
});
