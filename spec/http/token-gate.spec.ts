import { once } from 'node:events';
import {
  createServer,
  type Server as HttpServer,
  request as httpRequest,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { jest } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import { KnownCredentials } from '../../lib/provider/known-credentials.js';
import { settingsOf } from '../../lib/settings/settings.js';
import { CLAIM_LEASE } from '../../lib/store/lifecycle.js';
import { MemoryStore } from '../../lib/store/memory.js';
import { RedisStore } from '../../lib/store/redis.js';
import { findAccount, pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { asked, basic, CIBA_GRANT, type PluginServer, type PluginServerOptions } from '../support/server.js';
import { until } from '../support/until.js';

/** An answer, less what another road may do differently: the time, and what Express and CORS add. */
interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

const KEPT = ['cache-control', 'content-type', 'content-length', 'retry-after'];

/** A server that listens, whose polls the gate answers, or the whole road does: each tells which of them it was. */
interface Listening {
  readonly server: PluginServer;
  readonly port: number;
  /** How many requests went down the whole road. */
  readonly wholeRoad: () => number;
}

const open: HttpServer[] = [];

afterEach(() => {
  for (const server of open.splice(0)) server.closeAllConnections();
});

async function listen(
  server: PluginServer,
  wrap: (app: RequestListener) => RequestListener = (app) => app,
): Promise<Listening> {
  let count = 0;
  // oidc-provider tells of every answer that is an error; what the gate answers never reaches it.
  server.provider.on('grant.error', () => {
    count += 1;
  });
  const http = createServer(wrap(server.app)).listen(0, '127.0.0.1');
  open.push(http);
  http.unref();
  await once(http, 'listening');
  return { server, port: (http.address() as AddressInfo).port, wholeRoad: () => count };
}

interface Sending {
  readonly client?: string;
  readonly authorization?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly form?: string;
}

const formOf = (authReqId: string): string => `grant_type=${CIBA_GRANT}&auth_req_id=${authReqId}`;

async function send(port: number, authReqId: string, sending: Sending = {}): Promise<Answer> {
  const { client = 'till', authorization = basic(client), headers, path = '/token' } = sending;
  const { form = formOf(authReqId) } = sending;
  const req = httpRequest({
    port,
    host: '127.0.0.1',
    path,
    method: 'POST',
    agent: false,
    headers: {
      ...(authorization !== '' && { authorization }),
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(form),
      ...headers,
    },
  });
  req.end(form);
  const [res] = await once(req, 'response');
  const body = await text(res);
  const kept = Object.entries(res.headers).filter(([name]) => KEPT.includes(name));
  return { status: res.statusCode, headers: Object.fromEntries(kept), body };
}

/** Sends a body in two packets, the second after the first was looked at; gives all of the answer. */
async function sendSlowly(port: number, form: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const head = [
    'POST /token HTTP/1.1',
    'Host: op.example',
    `Authorization: ${basic('till')}`,
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${form.length}`,
    'Connection: close',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${form.slice(0, 20)}`);
  setTimeout(() => socket.write(form.slice(20)), 20);
  return text(socket);
}

const errorOf = ({ body }: Answer): string | undefined => (JSON.parse(body) as { error?: string }).error;

const PLACES: readonly (readonly [
  title: string,
  wrap: (server: PluginServer) => (app: RequestListener) => RequestListener,
])[] = [
  ['in the router', () => (app) => app],
  ['in front of the app', (server) => (app) => server.ciba.accelerate(app)],
];

onEveryStore('the token gate', (make, redis) => {
  describe.each(PLACES)('%s', (_title, wrap) => {
    const start = async (options?: PluginServerOptions): Promise<Listening> => {
      const server = make(options);
      return listen(server, wrap(server));
    };

    /** A poll that has gone down the whole road, so that the next one need not. */
    const begun = async (options?: PluginServerOptions): Promise<Listening & { readonly id: string }> => {
      const listening = await start(options);
      const id = await asked(listening.server);
      expect(errorOf(await send(listening.port, id))).toBe('authorization_pending');
      expect(listening.wholeRoad()).toBe(1);
      listening.server.advance(6);
      return { ...listening, id };
    };

    it('answers as the whole road does, a poll in time and one too early', async () => {
      const { server, port, wholeRoad, id } = await begun();
      const pending = await send(port, id);
      const early = await send(port, id);
      expect(wholeRoad()).toBe(1);
      expect(server.events.filter(({ name }) => name === 'poll.pending')).toHaveLength(3);

      // The same by the whole road: the gate does not know a form with a field more.
      server.advance(20);
      const more = { form: `${formOf(id)}&more=1` };
      expect(await send(port, id, more)).toEqual({
        ...pending,
        headers: { ...pending.headers, 'retry-after': '10' },
      });
      expect(await send(port, id, more)).toEqual({
        ...early,
        headers: { ...early.headers, 'retry-after': '15' },
      });
      expect(wholeRoad()).toBe(3);
      expect(pending.headers['retry-after']).toBe('5');
      expect(early.headers['retry-after']).toBe('10');
    });

    it('asks the store once for a poll that it passes on, and tells the tokens', async () => {
      const { server, port, id } = await begun();
      await server.ciba.requests.approve(server.ciba.requests.handleOf(id), { accountId: 'alice' });
      const asked = [MemoryStore, RedisStore].map((store) => jest.spyOn(store.prototype, 'poll'));
      const { status, body } = await send(port, id);
      const times = asked.map((spy) => spy.mock.calls.length);
      for (const spy of asked) spy.mockRestore();
      expect({ status, body: JSON.parse(body) }).toMatchObject({
        status: 200,
        body: { access_token: expect.any(String) },
      });
      expect(times.reduce((one, other) => one + other)).toBe(1);
      expect(errorOf(await send(port, id))).toBe('invalid_grant');
    });

    it('knows the client for its other requests, too', async () => {
      const { server, port, wholeRoad } = await begun();
      const other = await asked(server, { login_hint: 'bob' });
      expect(errorOf(await send(port, other))).toBe('authorization_pending');
      expect(wholeRoad()).toBe(1);
    });

    it('answers a client that sends its secret in the form', async () => {
      const client = pollClient('poster', { token_endpoint_auth_method: 'client_secret_post' });
      const server = make({ config: { clients: [client] } });
      const { port, wholeRoad } = await listen(server, wrap(server));
      const credentials = 'client_id=poster&client_secret=poster-secret';
      const asking = {
        authorization: '',
        path: '/backchannel',
        form: `${credentials}&scope=openid&login_hint=alice`,
      };
      const { auth_req_id: id } = JSON.parse((await send(port, '', asking)).body) as { auth_req_id: string };
      const sending = {
        authorization: '',
        form: `client_id=poster&${formOf(id)}&client_secret=poster-secret`,
      };
      expect(errorOf(await send(port, id, sending))).toBe('authorization_pending');
      server.advance(6);
      expect(errorOf(await send(port, id, sending))).toBe('authorization_pending');
      expect(wholeRoad()).toBe(1);
      const wrong = { ...sending, form: sending.form.replace('poster-secret', 'another') };
      expect(errorOf(await send(port, id, wrong))).toBe('invalid_client');
    });

    it('leaves what is decided to the provider: tokens, once', async () => {
      const { server, port, id } = await begun();
      await send(port, id);
      await server.approve(id);
      const answer = await send(port, id);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toMatchObject({ access_token: expect.any(String) });
      expect(errorOf(await send(port, id))).toBe('invalid_grant');
    });

    it('leaves what is denied, expired, or nobody’s to the provider', async () => {
      const { server, port, id } = await begun();
      const [denied, late] = [await asked(server), await asked(server)];
      await server.deny(denied);
      expect(errorOf(await send(port, denied))).toBe('access_denied');
      server.advance(301);
      expect(errorOf(await send(port, id))).toBe('expired_token');
      expect(errorOf(await send(port, late))).toBe('expired_token');
      expect(errorOf(await send(port, 'x'.repeat(43)))).toBe('invalid_grant');
    });

    it('gives nobody the request of another client', async () => {
      const { server, port, id } = await begun();
      const theirs = await asked(server, {}, { client: 'kiosk' });
      await send(port, theirs, { client: 'kiosk' });
      server.advance(6);
      expect(errorOf(await send(port, id, { client: 'kiosk' }))).toBe('invalid_grant');
      expect(errorOf(await send(port, theirs))).toBe('invalid_grant');
      expect(errorOf(await send(port, id))).toBe('authorization_pending');
    });

    it.each([
      ['another secret', { authorization: basic('till', 'another') }, 'invalid_client'],
      ['another client with that secret', { authorization: basic('kiosk', 'till-secret') }, 'invalid_client'],
      ['no credentials', { authorization: '' }, 'invalid_request'],
    ])('refuses %s as the provider does', async (_title, sending, error) => {
      const { port, id } = await begun();
      expect(errorOf(await send(port, id, sending))).toBe(error);
      // And learns nothing from it.
      expect(errorOf(await send(port, id, sending))).toBe(error);
    });

    it('refuses the secret by another method', async () => {
      const { port, id } = await begun();
      const form = `${formOf(id)}&client_id=till&client_secret=till-secret`;
      const sending = { authorization: '', form };
      expect(errorOf(await send(port, id, sending))).toBe('invalid_client');
      expect(errorOf(await send(port, id, sending))).toBe('invalid_client');
    });

    it('forgets what it has seen after `rememberCredentials`', async () => {
      const { server, port, wholeRoad, id } = await begun({ ciba: { rememberCredentials: 30 } });
      server.advance(23);
      await send(port, id);
      expect(wholeRoad()).toBe(1);
      server.advance(10);
      await send(port, id);
      expect(wholeRoad()).toBe(2);
    });

    it('lets a secret that was changed learn no more than that a request is pending, and that for a while only', async () => {
      const server = make();
      const { port } = await listen(server, wrap(server));
      const id = await asked(server);
      await send(port, id);
      server.advance(6);
      const find = server.provider.Client.find.bind(server.provider.Client);
      server.provider.Client.find = async (clientId) => {
        const client = await find(clientId);
        return (
          client &&
          Object.assign(Object.create(client), {
            clientSecret: 'changed',
            compareClientSecret: async () => false,
          })
        );
      };
      expect(errorOf(await send(port, id))).toBe('authorization_pending');
      server.advance(60);
      expect(errorOf(await send(port, id))).toBe('invalid_client');
      await server.approve(id);
      expect(errorOf(await send(port, id))).toBe('invalid_client');
    });

    it('lets a changed secret have no tokens at once', async () => {
      const { server, port, id } = await begun();
      const find = server.provider.Client.find.bind(server.provider.Client);
      server.provider.Client.find = async (clientId) => {
        const client = await find(clientId);
        return client && Object.assign(Object.create(client), { compareClientSecret: async () => false });
      };
      await server.approve(id);
      expect(errorOf(await send(port, id))).toBe('invalid_client');
      // What that poll had claimed is the client's again.
      server.provider.Client.find = find;
      expect((await send(port, id)).status).toBe(200);
    });

    it('lets a claim that came with the poll be made anew where the provider comes to it late', async () => {
      const { server, port, id } = await begun();
      await server.approve(id);
      const find = server.provider.Client.find.bind(server.provider.Client);
      const now = performance.now.bind(performance);
      server.provider.Client.find = async (clientId) => {
        server.advance(CLAIM_LEASE / 1000);
        jest.spyOn(performance, 'now').mockImplementation(() => now() + CLAIM_LEASE);
        return find(clientId);
      };
      try {
        expect((await send(port, id)).status).toBe(200);
      } finally {
        jest.restoreAllMocks();
      }
    });

    it.each([
      ['a DPoP proof', { headers: { dpop: 'no proof' } }],
      ['a request from a page', { headers: { origin: 'https://page.example' } }],
      ['another content type', { headers: { 'content-type': 'application/json' } }],
      ['a parameter more', { form: `${formOf('ID')}&resource=urn:x` }],
      ['the id twice', { form: `${formOf('ID')}&auth_req_id=ID` }],
      ['the grant type twice', { form: `grant_type=${CIBA_GRANT}&${formOf('ID')}` }],
      ['another grant', { form: formOf('ID').replace('ciba', 'device_code') }],
      ['a query', { path: '/token?a=b' }],
      ['an id that has to be decoded', { form: formOf('%49D') }],
      ['a long body', { form: `${formOf('ID')}&padding=${'x'.repeat(3_000)}` }],
    ] as const)('leaves %s to the provider', async (_title, sending: Sending) => {
      const answers = [];
      // The second server has no gate.
      for (const ciba of [{}, { rememberCredentials: 0 }]) {
        const { port, wholeRoad, id } = await begun({ ciba });
        const form = sending.form?.replaceAll('ID', id);
        const { status, body } = await send(port, id, { ...sending, ...(form && { form }) });
        answers.push({ status, body, told: wholeRoad() });
      }
      expect(answers[0]).toEqual(answers[1]);
    });

    it('answers a client that sends the body slowly', async () => {
      const { port, wholeRoad, id } = await begun();
      const answer = await sendSlowly(port, formOf(id));
      expect(answer).toContain('authorization_pending');
      expect(wholeRoad()).toBe(1);
    });

    it('answers requests one after the other on one connection, whichever road they take', async () => {
      const { server, port, wholeRoad, id } = await begun();
      const form = formOf(id);
      const message = (more: string, last: boolean): string =>
        [
          'POST /token HTTP/1.1',
          'Host: op.example',
          `Authorization: ${basic('till')}`,
          'Content-Type: application/x-www-form-urlencoded',
          `Content-Length: ${form.length + more.length}`,
          ...(last ? ['Connection: close'] : []),
          '',
          `${form}${more}`,
        ].join('\r\n');
      const socket = connect(port, '127.0.0.1');
      socket.write(message('', false) + message('&more=1', false) + message('', true));
      const answers = (await text(socket)).match(/"error":"[a-z_]+"/g);
      expect(answers).toEqual([
        '"error":"authorization_pending"',
        '"error":"slow_down"',
        '"error":"slow_down"',
      ]);
      expect(wholeRoad()).toBe(2);
      expect(server.events.filter(({ name }) => name === 'poll.pending')).toHaveLength(4);
    });

    it('tells of a store that is away, and counts no poll twice', async () => {
      const { server, port, id } = await begun();
      const away = redis();
      away?.pause();
      if (away) expect(await send(port, id)).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
      away?.resume();
      expect(errorOf(await send(port, id))).toBe('authorization_pending');
      server.advance(5);
      expect(errorOf(await send(port, id))).toBe('authorization_pending');
    });

    it('answers nobody who has gone', async () => {
      const { port, id, wholeRoad } = await begun();
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(
        `POST /token HTTP/1.1\r\nHost: op.example\r\nAuthorization: ${basic('till')}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant`,
      );
      socket.destroy();
      await once(socket, 'close');
      expect(errorOf(await send(port, id))).toBe('authorization_pending');
      expect(wholeRoad()).toBe(1);
    });

    it('is not there where the option says so', async () => {
      const { server, port, wholeRoad, id } = await begun({ ciba: { rememberCredentials: 0 } });
      server.advance(6);
      await send(port, id);
      expect(wholeRoad()).toBe(2);
    });
  });

  const GONE = 'invalid_request';
  it.each<[string, RequestHandler, string]>([
    ['a body parser', express.urlencoded({ extended: false }), 'authorization_pending'],
    ['a body parser that keeps the text', express.text({ type: '*/*' }), 'authorization_pending'],
    ['a listener to what comes', (req, _res, next) => void req.on('data', () => {}).on('end', next), GONE],
    [
      'a reader that does not wait for the end',
      (req, _res, next) => {
        const read = (): void => {
          if (req.read() === null) return;
          req.off('readable', read);
          // What was left of it is nothing, which is told in the next turn.
          req.read();
          next();
        };
        req.on('readable', read);
      },
      GONE,
    ],
    [
      'something that takes its time',
      (_req, _res, next) => void setTimeout(next, 20),
      'authorization_pending',
    ],
  ])('leaves no request hanging behind %s', async (_title, middleware, error) => {
    const server = make();
    const app = express().use(middleware, server.app);
    const { port } = await listen(server, () => app);
    const id = await asked(server);
    for (let polls = 0; polls < 2; polls += 1) {
      expect(errorOf(await send(port, id))).toBe(error);
      server.advance(6);
    }
  });

  it('puts a body back that came slowly, for the provider and for a parser', async () => {
    const server = make();
    const parsed = express().use(express.urlencoded({ extended: false }), server.app);
    for (const app of [server.app, parsed]) {
      const { port } = await listen(server, () => server.ciba.accelerate(app));
      const id = await asked(server, { login_hint: 'bob' });
      for (const expected of ['authorization_pending', 'authorization_pending', 'access_token']) {
        if (expected === 'access_token') await server.approve(id);
        expect(await sendSlowly(port, formOf(id))).toContain(expected);
        server.advance(6);
      }
    }
  });

  it('learns nothing of a client whose credentials the server’s own code has put there', async () => {
    const server = make();
    const app: RequestListener = (req, res) => {
      req.headers.authorization = basic('till');
      server.app(req, res);
    };
    const { port, wholeRoad } = await listen(server, () => server.ciba.accelerate(app));
    const id = await asked(server);
    for (const expected of [1, 2]) {
      expect(errorOf(await send(port, id, { authorization: 'ApiKey 1' }))).toBe('authorization_pending');
      expect(wholeRoad()).toBe(expected);
      server.advance(6);
    }
  });

  it('finishes what is being answered before the store is closed', async () => {
    let closed: Promise<void> | undefined;
    // Between the claim and the tokens the provider asks for the account: there it is told to close.
    const server = make({
      config: {
        findAccount: async (ctx, accountId) => {
          if (ctx.oidc.route === 'token') closed ??= server.ciba.close();
          await new Promise((resolve) => setImmediate(resolve));
          return findAccount(ctx, accountId);
        },
      },
    });
    const { port } = await listen(server);
    const id = await asked(server);
    await server.approve(id);
    expect(await send(port, id)).toMatchObject({ status: 200 });
    await closed;
    expect(server.heard).not.toContain('redemption.lost');
  });

  it('reaches an app that the router is mounted in below a path', async () => {
    const server = make({ mount: '/oidc' });
    const { port, wholeRoad } = await listen(server, (app) => server.ciba.accelerate(app));
    const id = await asked(server);
    for (const expected of [1, 1]) {
      expect(errorOf(await send(port, id, { path: '/oidc/token' }))).toBe('authorization_pending');
      expect(wholeRoad()).toBe(expected);
      server.advance(6);
    }
  });

  it('lets what the server has put into the router see what it does not answer', async () => {
    const server = make();
    const seen: string[] = [];
    const router = server.ciba.router(server.provider);
    const app = express().use(router, server.provider.callback());
    const { port } = await listen(server, () => app);
    const id = await asked(server);
    router.use((req, _res, next) => {
      seen.push(req.path);
      next();
    });
    expect(errorOf(await send(port, id))).toBe('authorization_pending');
    await fetch(`http://127.0.0.1:${port}/backchannel`, { method: 'POST' });
    expect(seen).toEqual(['/token', '/backchannel']);
  });

  it('gives the app the bytes of what it does not answer', async () => {
    const server = make();
    const seen: string[] = [];
    const { port } = await listen(server, (app) =>
      server.ciba.accelerate((req, res) => {
        const kept = express();
        kept.use(express.text({ type: '*/*' }), ({ body }, answer) => {
          seen.push(body);
          answer.status(400).json({ error: 'seen' });
        });
        (seen.length === 0 && req.headers['x-first'] ? app : kept)(req, res);
      }),
    );
    const id = await asked(server);
    await send(port, id, { headers: { 'x-first': '1' } });
    await server.approve(id);
    expect(errorOf(await send(port, id))).toBe('seen');
    expect(seen).toEqual([formOf(id)]);
  });
});

onEveryStore('the gate beside a server that answers for itself', (make) => {
  it('says nothing more', async () => {
    const server = make();
    const authReqId = await asked(server);
    let begun: ServerResponse | undefined;
    let answers = false;
    const { port } = await listen(server, (app) => (req, res) => {
      app(req, res);
      if (!answers) return;
      // As a time limit of the server's own would; what the gate throws then nobody hears, which ends the process.
      res.writeHead(503).write(' ');
      begun = res;
    });
    await send(port, authReqId);
    server.advance(10);
    answers = true;
    const answered = send(port, authReqId);
    const polls = (): number => server.heard.filter((name) => name === 'poll.pending').length;
    await until('the poll is over', () => polls() === 2);
    await new Promise(setImmediate);
    begun?.end();
    expect((await answered).status).toBe(503);
  });
});

describe('what is known of credentials', () => {
  const client = (more: object = {}): never =>
    ({ clientId: 'till', clientAuthMethod: 'client_secret_basic', ...more }) as never;
  const settings = settingsOf({});

  const learned = (known: KnownCredentials, digest: string, who = client()): void => {
    const req = { headers: {} } as never;
    known.note(req, digest, '/token');
    known.learn(req, who);
  };

  it('is bounded, whatever distinct credentials come', () => {
    const known = new KnownCredentials(settings);
    for (let index = 0; index < 10_050; index += 1) learned(known, known.digestOf(`Basic ${index}`, ''));
    const here = Array.from({ length: 10_050 }, (_, index) =>
      known.find(known.digestOf(`Basic ${index}`, '')),
    );
    expect(here.filter(Boolean)).toHaveLength(10_000);
    expect(here[0]).toBeUndefined();
    expect(here[10_049]).toEqual(expect.objectContaining({ clientId: 'till' }));
  });

  it('is nothing that was not checked', () => {
    const known = new KnownCredentials(settings);
    const req = { headers: {} } as never;
    const digest = known.digestOf('Basic x', '');
    known.note(req, digest, '/token');
    expect(known.find(digest)).toBeUndefined();
  });

  it('ends with the secret', () => {
    const known = new KnownCredentials(settings);
    learned(known, 'ended', client({ clientSecretExpiresAt: Math.floor(Date.now() / 1000) - 1 }));
    expect(known.find('ended')).toBeUndefined();
    learned(known, 'lasting', client({ clientSecretExpiresAt: 0 }));
    expect(known.find('lasting')).toBeDefined();
  });

  it.each([
    ['private_key_jwt', { clientAuthMethod: 'private_key_jwt' }],
    ['tls_client_auth', { clientAuthMethod: 'tls_client_auth' }],
    ['no authentication', { clientAuthMethod: 'none' }],
    ['DPoP-bound tokens', { dpopBoundAccessTokens: true }],
    ['certificate-bound tokens', { tlsClientCertificateBoundAccessTokens: true }],
    ['push', { backchannelTokenDeliveryMode: 'push' }],
  ])('is nothing of a client with %s', (_title, more) => {
    const known = new KnownCredentials(settings);
    learned(known, 'theirs', client(more));
    expect(known.find('theirs')).toBeUndefined();
  });

  it('is different under the key of another process', () => {
    const [one, other] = [new KnownCredentials(settings), new KnownCredentials(settings)];
    expect(one.digestOf('Basic x', 'y')).toBe(one.digestOf('Basic x', 'y'));
    expect(one.digestOf('Basic x', 'y')).not.toBe(other.digestOf('Basic x', 'y'));
  });
});
