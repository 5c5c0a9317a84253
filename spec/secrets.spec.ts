import { connect } from 'node:net';
import { format, inspect } from 'node:util';
import { jest } from '@jest/globals';
import { context, metrics, trace } from '@opentelemetry/api';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import type { Redis } from 'ioredis';
import { telemetry } from 'oidc-provider-ciba/telemetry';
import { pollClient } from './support/configuration.js';
import { type Receiver, startReceiver, status } from './support/receiver.js';
import { startRedis, type TestRedis } from './support/redis-server.js';
import { ask, basic, type PluginServer, pluginServer, poll, post } from './support/server.js';
import { until } from './support/until.js';

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

const COOKIE_KEY = 'a-cookie-key-that-seals-links-0123456789';
const NOTIFICATION_TOKEN = 'a-notification-token-0123456789';
const CODES = ['1234', '987654-wrong-code'];

let redis: TestRedis;
let receiver: Receiver;
let server: PluginServer;
let reader: Reader;
let spans: InMemorySpanExporter;
let direct: Redis;
let restore: () => void;
/** Everything that was said anywhere, by where. */
const said: Record<string, string[]> = {};
const say = (where: string, what: unknown): void => {
  said[where] ??= [];
  said[where].push(typeof what === 'string' ? what : inspect(what, { depth: 12, showHidden: true }));
};
/** Every secret that was used, by what it is. */
const secrets = new Map<string, string>();
const secret = (name: string, value: unknown): void => {
  if (typeof value === 'string') secrets.set(`${name} ${secrets.size}`, value);
};

/** Where a secret was said, by its name. */
const leaks = (): string[] =>
  Object.entries(said).flatMap(([where, lines]) =>
    [...secrets]
      .filter(([, value]) => lines.some((line) => line.includes(value)))
      .map(([name]) => `${name} in ${where}`),
  );

/** Hears what this process prints and warns of. */
function listen(): () => void {
  const warnings = jest
    .spyOn(process, 'emitWarning')
    .mockImplementation(((...words: unknown[]) => say('warnings', words)) as never);
  const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((level) =>
    jest.spyOn(console, level).mockImplementation((...words: unknown[]) => say('console', words)),
  );
  const streams = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation(((text: unknown) => {
      say('streams', String(text));
      return true;
    }) as never),
  );
  return () => {
    for (const spy of [warnings, ...spies, ...streams]) spy.mockRestore();
  };
}

beforeAll(async () => {
  redis = await startRedis();
  direct = redis.client();
  receiver = await startReceiver();
  reader = new Reader();
  spans = new InMemorySpanExporter();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
  );
  const told = (id: string, mode: string) =>
    pollClient(id, {
      backchannel_token_delivery_mode: mode as 'ping',
      backchannel_client_notification_endpoint: receiver.url,
    });
  const coder = pollClient('coder', { backchannel_user_code_parameter: true });
  server = pluginServer({
    redis: redis.client(),
    config: {
      clients: [pollClient('till'), coder, told('pinged', 'ping'), told('pushed', 'push')],
      cookies: { keys: [COOKIE_KEY] },
    },
    hooks: { deliveryModes: ['poll', 'ping', 'push'] },
    ciba: {
      delivery: { allowLoopback: true },
      replayGrace: 30,
      limits: false,
      interaction: () => undefined,
      channels: [
        {
          name: 'mail',
          send: async ({ link }) => {
            secret('seal of a link', String(link).split('/').at(-1)?.split('.').at(-1));
            throw new Error('the mail server is down');
          },
        },
      ],
    },
  });
  for (const name of ['audit', 'timing'] as const) server.ciba.on(name, (event) => say(name, event));
  telemetry(server.ciba);
  secret('cookie key', COOKIE_KEY);
  for (const code of CODES.slice(1)) secret('user code', code);
  secret('notification token', NOTIFICATION_TOKEN);
  for (const id of ['till', 'coder', 'pinged', 'pushed']) {
    secret('client secret', `${id}-secret`);
    secret('authorization header', basic(id).slice(6));
  }
  const [listening, debugging] = [listen(), await hearDebug()];
  restore = () => {
    debugging();
    listening();
  };
});
afterAll(async () => {
  restore();
  await server.close();
  await receiver.close();
  await redis.stop();
  for (const api of [metrics, trace, context]) api.disable();
});

/** What the debug logs of the packages below say, which is theirs, by whose it is. */
async function hearDebug(): Promise<() => void> {
  const { default: debug } = (await import('debug' as string)) as {
    default: {
      enable(names: string): void;
      disable(): void;
      log: (this: { namespace: string }, ...words: unknown[]) => void;
    };
  };
  const { log } = debug;
  debug.log = function (...words) {
    say(`debug of ${this.namespace.split(':')[0]}`, format(...words));
  };
  debug.enable('*');
  return () => {
    debug.disable();
    debug.log = log;
  };
}

/** The keys that the commands of a MONITOR touched. What else they were given may be secret, and is Redis's to keep. */
function keysOf(lines: string): string[] {
  return lines.split('\n').flatMap((line) => {
    const [command = '', first = '', count, ...rest] = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(
      ([, word]) => String(word),
    );
    return /^eval/i.test(command) ? rest.slice(0, Number(count)) : [first];
  });
}

/** Asks, and notes the `auth_req_id`, and the answer where it is an error. */
async function requested(params: object, client: string): Promise<string> {
  const { body, status: code } = await ask(server, params as never, { client });
  if (code === 200) secret('auth_req_id', body.auth_req_id);
  else say('error bodies', body);
  return body.auth_req_id;
}

/** Polls, and notes the tokens, or the answer where it is an error. */
async function polled(id: string, client: string, params: object = {}): Promise<Record<string, string>> {
  const { body, status: code, headers } = await poll(server, id, params as never, { client });
  say('headers', headers);
  if (code !== 200) say('error bodies', body);
  for (const token of ['access_token', 'refresh_token', 'id_token']) secret(token, body[token]);
  return body;
}

async function everyFlow(): Promise<void> {
  const handleOf = (id: string): string => server.ciba.requests.handleOf(id);
  const offline = { scope: 'openid offline_access' };
  // A poll with a refresh, a replay, and what came too late.
  const yes = await requested(offline, 'till');
  await polled(yes, 'till');
  await polled(yes, 'till');
  await polled(yes, 'pinged');
  await server.approve(yes);
  await polled(yes, 'till', { resource: 'not a resource' });
  const tokens = await polled(yes, 'till');
  await polled(yes, 'till');
  await server.approve(yes).catch((error) => say('errors', error));
  const refreshed = await post(server, '/token', {
    grant_type: 'refresh_token',
    refresh_token: tokens['refresh_token'],
  });
  for (const token of ['access_token', 'refresh_token', 'id_token']) secret(token, refreshed.body[token]);
  // User codes, wrong and right; a hint token that is none.
  await requested({ user_code: CODES[1] }, 'coder');
  const coded = await requested({ user_code: CODES[0] }, 'coder');
  await server.deny(coded, 'no');
  await polled(coded, 'coder');
  secret('login hint token', 'not-a.login-hint.token-0123456789');
  await requested({ login_hint: undefined, login_hint_token: 'not-a.login-hint.token-0123456789' }, 'till');
  await requested({ login_hint: 'mallory' }, 'till');
  const wrong = await post(
    server,
    '/backchannel',
    { scope: 'openid', login_hint: 'alice' },
    {
      headers: { authorization: basic('till', 'a-wrong-secret-0123456789') },
    },
  );
  secret('wrong client secret', 'a-wrong-secret-0123456789');
  say('error bodies', wrong.body);
  // Taken back, by the client and by the server.
  const taken = await requested({}, 'till');
  await server.ciba.requests.cancel(handleOf(taken));
  const withdrawn = await requested({}, 'till');
  const form = { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: withdrawn };
  await post(server, '/backchannel/cancel', form);
  await polled(withdrawn, 'till');
  // Ping and push, with faults, and one that is given up.
  const token = { client_notification_token: NOTIFICATION_TOKEN, ...offline };
  receiver.answer(status(500), status(204), status(500), status(204), status(401));
  for (const client of ['pinged', 'pushed', 'pushed']) {
    const told = await requested(token, client);
    await server.approve(told);
    await until(
      `${client} is told`,
      async () => {
        const delivery = await server.ciba.deliveries.get(handleOf(told));
        return delivery !== undefined && delivery.state !== 'waiting';
      },
      60_000,
    );
    if (client === 'pinged') await polled(told, client);
  }
  for (const { body } of receiver.received) {
    const message = JSON.parse(body);
    for (const name of ['access_token', 'refresh_token', 'id_token']) secret(name, message[name]);
  }
  say('deliveries', await server.ciba.deliveries.list());
  // A Redis that does not answer, when a request, a poll, a redemption and a decision need it.
  const [pending, approved] = [await requested({}, 'till'), await requested({}, 'till')];
  await server.approve(approved);
  redis.pause();
  await requested({}, 'till');
  await polled(pending, 'till');
  await polled(approved, 'till');
  await server.approve(pending).catch((error) => say('errors', error));
  say('health', await server.ciba.health());
  redis.resume();
  await until('Redis answers', async () => (await server.ciba.health()).ready);
  server.advance(400);
  await polled(pending, 'till');
}

test('no secret of any flow is said anywhere: no log, event, audit entry, metric, span, error, or key of Redis [SEC-11]', async () => {
  const monitor = connect(redis.port, '127.0.0.1');
  let lines = '';
  monitor.setEncoding('utf8').on('data', (text: string) => {
    lines += text;
  });
  monitor.write('MONITOR\r\n');
  await until('Redis tells its commands', () => lines.includes('+OK'));
  await everyFlow();
  say('events', server.events);
  say('metrics', JSON.stringify(await reader.collect()));
  for (const { name, attributes, events, status: its } of spans.getFinishedSpans())
    say('spans', [name, attributes, events, its]);
  const stored = await direct.keys('*');
  const keys = keysOf(lines);
  say('keys', [...stored, ...keys].join('\n'));
  // What is stored, but for what clients are told with.
  for (const key of stored.filter(
    (one) => one.startsWith(server.prefix) && !/:(callback|answer)$/.test(one),
  )) {
    const type = await direct.type(key);
    if (type === 'hash') say('values', Object.values(await direct.hgetall(key)).join(''));
    if (type === 'zset') say('values', await direct.zrange(key, '0', '-1'));
  }
  monitor.destroy();
  restore();

  // All of it was heard, and every kind of secret was used.
  for (const where of [
    'events',
    'audit',
    'timing',
    'metrics',
    'spans',
    'error bodies',
    'errors',
    'keys',
    'values',
  ])
    expect([where, (said[where]?.length ?? 0) > 0]).toEqual([where, true]);
  const kinds = new Set([...secrets.keys()].map((name) => name.replace(/ \d+$/, '')));
  expect([...kinds].sort()).toEqual(
    [
      ...['access_token', 'auth_req_id', 'authorization header', 'client secret', 'cookie key', 'id_token'],
      ...[
        'login hint token',
        'notification token',
        'refresh_token',
        'seal of a link',
        'user code',
        'wrong client secret',
      ],
    ].sort(),
  );
  expect(keys.length).toBeGreaterThan(50);
  // The debug logs of oidc-provider and ioredis were on. What those say is theirs: see docs/operations.md.
  const debugs = Object.keys(said).filter((where) => where.startsWith('debug of '));
  expect(debugs).toEqual(expect.arrayContaining(['debug of oidc-provider', 'debug of ioredis']));
  const ours = leaks().filter((leak) => !/ in debug of (oidc-provider|ioredis)$/.test(leak));
  expect(ours).toEqual([]);
  if (process.env['SHOW_DEBUG'])
    console.log([...new Set(leaks().map((leak) => leak.replace(/ \d+ in/, ' in')))].join('; '));
});

test('a leak in any of them would be found', async () => {
  const [name, value] = [...secrets][0] as [string, string];
  const stop = listen();
  console.error(`planted: ${value}`);
  process.emitWarning(`planted: ${value}`);
  process.stderr.write(`planted: ${value}`);
  stop();
  say('planted', { cause: new Error(`deep: ${value}`) });
  const found = leaks().filter((leak) => leak.startsWith(`${name} in `));
  for (const where of ['console', 'warnings', 'streams', 'planted'])
    expect(found).toContain(`${name} in ${where}`);
});
