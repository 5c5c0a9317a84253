/**
 * One server process of the delivery crash specs, on the Redis of REDIS_URL, whose clients are told at RECEIVER. MODE=plain is bare
 * oidc-provider, the control. Besides the provider it answers to the spec alone:
 *
 * - /work            delivers from now on
 * - /decide          approves or denies; with `at` the process kills itself when this request comes to that point
 * - /state           where a request and its delivery stand, once they are no longer watched
 *
 * A point is a step that is awaited between the decision and the end of the delivery, `>` where it begins and `<` where it has
 * ended. Every point that is passed is told to the spec, so that the list of them is what really happens.
 */
import { subscribe } from 'node:diagnostics_channel';
import { type ClientRequest, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Redis } from 'ioredis';
import Provider, { type AdapterFactory } from 'oidc-provider';
import { CibaError, createCiba } from 'oidc-provider-ciba';
import { redisAdapter } from '../../example-app/redis-adapter.js';
import { answersFailures } from '../support/answers-failures.js';
import { scriptNameOf } from '../support/script-name.js';
import { tellingConfiguration } from './telling-configuration.js';

const { REDIS_URL, RECEIVER, MODE } = process.env as Record<'REDIS_URL' | 'RECEIVER' | 'MODE', string>;
const ISSUER = 'http://127.0.0.1';

/** The request whose points count, and where the process ends. */
let watched: { readonly handle: string; readonly at: string | undefined } | undefined;

function pass(point: string): void {
  if (!watched) return;
  process.send?.({ point });
  if (point === watched.at) process.kill(process.pid, 'SIGKILL');
}

async function passing<T>(step: string, run: () => Promise<T>): Promise<T> {
  pass(`> ${step}`);
  const result = await run();
  pass(`< ${step}`);
  return result;
}

/** Every command that is about the watched request, whichever connection it goes over. */
const send = Redis.prototype.sendCommand;
Redis.prototype.sendCommand = function sendCommand(command, stream) {
  const words = [command.name, ...command.args.map(String)];
  const concerns = watched !== undefined && words.some((word) => word.includes(watched?.handle ?? ''));
  const step = concerns ? stepOf(this, words) : undefined;
  if (step === undefined) return send.call(this, command, stream);
  pass(`> ${step}`);
  return (send.call(this, command, stream) as Promise<unknown>).then((reply) => {
    pass(`< ${step}`);
    return reply;
  });
};

interface WithScripts {
  readonly scriptsSet?: Readonly<Record<string, { readonly sha: string }>>;
}

/** Scripts that the spec asks by, or a worker again and again. */
const WATCHING: ReadonlySet<string> = new Set(['poll', 'read', 'due']);

/** A script by its name; a command by its own. What a worker does again and again while it waits or works is no step. */
function stepOf(redis: unknown, [name = '', ...args]: string[]): string | undefined {
  if (name === 'zrem') return 'leave the index';
  if (name === 'del') return 'forget';
  const own = scriptNameOf(args);
  if (own) return WATCHING.has(own) ? undefined : own;
  if (name !== 'evalsha') return undefined;
  const sets = (redis as WithScripts).scriptsSet ?? {};
  const script = Object.keys(sets).find((each) => sets[each]?.sha === args[0]);
  const step = script?.replace(/:.*$/, '').replace(/-.*$/, '');
  return step === undefined || /^extendLocks?$/.test(step) ? undefined : step;
}

subscribe('http.client.request.start', (message) => {
  const { request } = message as { request: ClientRequest };
  if (request.getHeader('x-spec') === undefined) pass('> send');
});
subscribe('http.client.response.finish', () => pass('< send'));

const redis = new Redis(REDIS_URL);

const adapter: AdapterFactory = (name) => {
  const usual = redisAdapter(redis)(name);
  const upsert = usual.upsert.bind(usual);
  usual.upsert = (...args) => passing(`save ${name}`, () => upsert(...args));
  return usual;
};

/** Bare oidc-provider, the control: it pings from inside the decision. Its client is registered with https, and reached with http. */
function plainProvider(): Provider {
  const { features, ...config } = tellingConfiguration(RECEIVER.replace('http:', 'https:'), ['ping']);
  const ciba = {
    enabled: true,
    deliveryModes: ['ping'],
    processLoginHint: (_ctx: unknown, hint?: string) => hint,
    processLoginHintToken: () => undefined,
    validateBindingMessage: () => {},
    validateRequestContext: () => {},
    verifyUserCode: () => {},
    triggerAuthenticationDevice: () => {},
  };
  return new Provider(ISSUER, {
    ...config,
    adapter,
    // Without its guard, which no private endpoint passes.
    fetch: (url, { method, headers, body, redirect, signal }: RequestInit = {}) =>
      fetch(String(url).replace('https:', 'http:'), {
        method,
        headers,
        body,
        redirect,
        signal,
      } as RequestInit),
    features: { ...features, ciba: ciba as never },
  });
}

async function decidePlainly(authReqId: string): Promise<void> {
  const request = await provider.BackchannelAuthenticationRequest.find(authReqId);
  const grant = new provider.Grant({ accountId: 'alice', clientId: String(request?.clientId) });
  grant.addOIDCScope('openid offline_access');
  await provider.backchannelResult(authReqId, await grant.save());
}

const ciba = createCiba({
  redis,
  limits: false,
  resolveLoginHint: (hint) => hint,
  delivery: { worker: false, allowLoopback: true },
});
const provider: Provider =
  MODE === 'plain'
    ? plainProvider()
    : new Provider(ISSUER, ciba.configure({ ...tellingConfiguration(RECEIVER), adapter }));
const app = express();

app.post('/work', (_req, res) => {
  ciba.worker(provider);
  res.json({});
});
app.post(
  '/decide',
  answersFailures(async (req, res) => {
    const [handle, at] = [ciba.requests.handleOf(String(req.query['auth_req_id'])), req.query['at']];
    watched = { handle, at: at === undefined ? undefined : String(at) };
    try {
      if (MODE === 'plain') await decidePlainly(String(req.query['auth_req_id']));
      else if (req.query['action'] === 'deny') await ciba.requests.deny(handle, { accountId: 'alice' });
      else await ciba.requests.approve(handle, { accountId: 'alice' });
      pass('decided');
      res.json({});
    } catch (error) {
      if (!(error instanceof CibaError)) throw error;
      res.status(409).json({ code: error.code });
    }
  }),
);
app.post(
  '/state',
  answersFailures(async (req, res) => {
    watched = undefined;
    const handle = ciba.requests.handleOf(String(req.query['auth_req_id']));
    const [request, delivery] = await Promise.all([ciba.requests.get(handle), ciba.deliveries.get(handle)]);
    res.json({ status: request?.status, delivery: delivery?.state, attempts: delivery?.attempts });
  }),
);
ciba.on('delivery.delivered', ({ handle }) => {
  if (handle === watched?.handle) process.send?.({ delivered: handle });
});

if (MODE !== 'plain') app.use(ciba.router(provider));
app.use(provider.callback());
const listener = createServer(app).listen(0, '127.0.0.1', () => {
  process.send?.({ port: (listener.address() as AddressInfo).port });
});
listener.keepAliveTimeout = 60_000;
// The spec's process is this one's reason to be.
process.on('disconnect', () => process.exit(0));
