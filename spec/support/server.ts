import { randomUUID } from 'node:crypto';
import express, { type Express } from 'express';
import Provider, { type Configuration, errors } from 'oidc-provider';
import {
  type Approval,
  type Ciba,
  type CibaEventName,
  type CibaEvents,
  type CibaFeature,
  type CibaOptions,
  createCiba,
  type RedisClient,
} from 'oidc-provider-ciba';
import request, { type Response } from 'supertest';
import { processClock } from './clock.js';
import { accountOf, BACKCHANNEL, baseConfiguration, CIBA_GRANT, ISSUER, TOKEN } from './configuration.js';
import { PlainStore } from './plain-adapter.js';

export { accountOf, BACKCHANNEL, CIBA_GRANT, ISSUER, TOKEN } from './configuration.js';

/** A server in this process, with the plugin or without it. */
export interface Server {
  readonly app: Express;
  /** The path that everything is mounted under. */
  readonly mount: string;
  readonly provider: Provider;
  /** Where oidc-provider's other models are. */
  readonly store: PlainStore;
  /** The names of the events that the server's operator can hear. */
  readonly heard: string[];
  /** Moves the clock of the server's store. */
  advance(seconds: number): void;
  approve(authReqId: string, details?: Partial<Approval>): Promise<void>;
  deny(authReqId: string, description?: string): Promise<void>;
  close(): Promise<void>;
}

/** One event that was heard. */
export type Heard = {
  [Name in CibaEventName]: { readonly name: Name; readonly event: CibaEvents[Name] };
}[CibaEventName];

export interface PluginServer extends Server {
  readonly ciba: Ciba;
  readonly events: Heard[];
  /** What the keys of this server begin with. */
  readonly prefix: string;
}

export interface ServerOptions {
  /** Default {@link ISSUER}; one that listens says where. */
  readonly issuer?: string;
  /** What this server's provider is configured with beside the base; `features` are added one by one. */
  readonly config?: Omit<Configuration, 'features'>;
  readonly features?: Omit<NonNullable<Configuration['features']>, 'ciba'>;
  /** `features.ciba`: the hooks that the row is about, `undefined` for one that the server did not write. */
  readonly hooks?: CibaFeature;
}

export interface PluginServerOptions extends ServerOptions {
  readonly redis?: RedisClient | undefined;
  readonly ciba?: CibaOptions;
  readonly mount?: string;
}

/** The hooks that every server on bare oidc-provider has to write. */
const WRITTEN: CibaFeature = {
  processLoginHint: async (_ctx, hint) => accountOf(hint ?? ''),
  processLoginHintToken: async () => undefined,
  validateBindingMessage: () => {},
  validateRequestContext: () => {},
  verifyUserCode: async (_ctx, _account, userCode) => {
    if (userCode !== undefined && userCode !== '1234') throw new errors.InvalidUserCode('wrong code');
  },
  triggerAuthenticationDevice: () => {},
};

/** Every name, which the compiler keeps complete; less the two that say again what others say. */
const EVENT_NAMES: Readonly<Record<Exclude<CibaEventName, 'audit' | 'timing'>, true>> = {
  'request.accepted': true,
  'request.refused': true,
  'request.limited': true,
  'request.approved': true,
  'request.denied': true,
  'request.reported': true,
  'request.cancelled': true,
  'client.unblocked': true,
  'decision.refused': true,
  'poll.pending': true,
  'poll.held': true,
  'poll.expired': true,
  'redemption.claimed': true,
  'redemption.settled': true,
  'redemption.repeated': true,
  'redemption.released': true,
  'redemption.lost': true,
  'prompt.sent': true,
  'prompt.failed': true,
  'prompt.left': true,
  'prompt.error': true,
  'prompt.dismissed': true,
  'prompt.unreachable': true,
  'notification.failed': true,
  'delivery.delivered': true,
  'delivery.delayed': true,
  'delivery.failed': true,
  'delivery.retried': true,
  'delivery.error': true,
  'compat.used': true,
  'compat.told': true,
  'store.unavailable': true,
};

/** A server on oidc-provider alone. Its only clock is that of the process, which {@link Server.advance} moves. */
export function bareServer(options: ServerOptions = {}): Server {
  const clock = processClock();
  const store = new PlainStore(() => Date.now());
  const hooks = Object.entries({ ...WRITTEN, ...options.hooks }).filter(([, hook]) => hook !== undefined);
  const config = configurationOf(options, store);
  // It knows no push, and does not start with it.
  const modes = [...(options.hooks?.deliveryModes ?? ['poll'])].filter((mode) => mode !== 'push');
  const ciba = { ...Object.fromEntries(hooks), enabled: true, deliveryModes: modes };
  const provider = new Provider(options.issuer ?? ISSUER, {
    ...config,
    features: { ...config.features, ciba: ciba as never },
  });
  return {
    app: express().use(provider.callback()),
    mount: '',
    provider,
    store,
    heard: everyEventOf(provider),
    advance: clock.advance,
    approve: async (authReqId, { scope, accountId: _, rar: __, grantId, amr, ...details } = {}) => {
      const given = grantId ?? (await nativeGrant(provider, authReqId, scope));
      await provider.backchannelResult(authReqId, given, {
        ...details,
        ...(amr && { amr: [...amr] }),
      } as never);
    },
    deny: async (authReqId, description) => {
      await provider.backchannelResult(authReqId, new errors.AccessDenied(description));
    },
    close: async () => clock.restore(),
  };
}

/** A server with the plugin, whose requests are in memory or in the Redis given. */
export function pluginServer(options: PluginServerOptions = {}): PluginServer {
  let offset = 0;
  const store = new PlainStore(() => Date.now());
  const prefix = `spec:${randomUUID()}`;
  const ciba = createCiba({
    ...(options.redis && { redis: options.redis }),
    prefix,
    resolveLoginHint: options.hooks?.processLoginHint ? undefined : accountOf,
    verifyUserCode: (_accountId, userCode) => userCode === '1234',
    timeOffset: () => offset,
    ...options.ciba,
  });
  const config = configurationOf(options, store);
  const provider = new Provider(
    options.issuer ?? ISSUER,
    ciba.configure({
      ...config,
      features: { ...config.features, ciba: { ...options.hooks, enabled: true } },
    }),
  );
  const [events, heard] = [[] as Heard[], [] as string[]];
  for (const name of Object.keys(EVENT_NAMES) as CibaEventName[]) {
    ciba.on(name, (event) => {
      events.push({ name, event } as Heard);
      heard.push(name);
    });
  }
  const { mount = '' } = options;
  const app = express();
  app.use(mount, ciba.router(provider));
  app.use(mount, provider.callback());
  return {
    app,
    mount,
    provider,
    store,
    ciba,
    events,
    heard,
    prefix,
    advance: (seconds) => {
      offset += seconds * 1000;
    },
    approve: async (authReqId, details = {}) => {
      const handle = ciba.requests.handleOf(authReqId);
      const accountId = details.accountId ?? (await accountIdOf(ciba, handle));
      await ciba.requests.approve(handle, { ...details, accountId });
    },
    deny: async (authReqId, description) => {
      const handle = ciba.requests.handleOf(authReqId);
      await ciba.requests.deny(handle, { accountId: await accountIdOf(ciba, handle), description });
    },
    close: () => ciba.close(),
  };
}

/** Form parameters that differ from the usual ones; `undefined` leaves one out, a list sends it several times. */
export type Params = Readonly<Record<string, string | readonly string[] | undefined>>;

/** How a request is sent. */
export interface Sending {
  /** The client that sends it, with its usual secret. Default `till`. */
  readonly client?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks for a decision. */
export async function ask(server: Server, params: Params = {}, sending: Sending = {}): Promise<Response> {
  return post(server, BACKCHANNEL, { scope: 'openid', login_hint: 'alice', ...params }, sending);
}

/** Asks, and is acknowledged: the `auth_req_id`. */
export async function asked(server: Server, params: Params = {}, sending: Sending = {}): Promise<string> {
  const { status, body } = await ask(server, params, sending);
  expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
  return body.auth_req_id;
}

/** Polls with an `auth_req_id`. */
export async function poll(
  server: Server,
  authReqId: string,
  params: Params = {},
  sending: Sending = {},
): Promise<Response> {
  return post(server, TOKEN, { grant_type: CIBA_GRANT, auth_req_id: authReqId, ...params }, sending);
}

/** Sends a form with the client's secret in the header. */
export async function post(
  server: Server,
  path: string,
  params: Params,
  { client = 'till', headers = {} }: Sending = {},
): Promise<Response> {
  return request(server.app)
    .post(`${server.mount}${path}`)
    .set({ authorization: basic(client), host: 'op.example', ...headers })
    .type('form')
    .send(formOf(params));
}

/** What introspection says of a token. */
export async function introspect(
  server: Server,
  token: string,
): Promise<{ active: boolean; [claim: string]: unknown }> {
  return (await post(server, '/token/introspection', { token })).body;
}

/** The `Authorization` header of a client. */
export function basic(client: string, secret: string = `${client}-secret`): string {
  return `Basic ${Buffer.from(`${client}:${secret}`).toString('base64')}`;
}

/** `application/x-www-form-urlencoded`. */
export function formOf(params: Params): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of [value ?? []].flat()) form.append(name, one);
  }
  return form.toString();
}

function configurationOf({ config = {}, features = {} }: ServerOptions, store: PlainStore): Configuration {
  const base = baseConfiguration();
  return {
    ...base,
    adapter: store.adapter,
    ...config,
    features: { ...base.features, ...features } as NonNullable<Configuration['features']>,
  };
}

async function accountIdOf(ciba: Ciba, handle: string): Promise<string> {
  return (await ciba.requests.get(handle))?.accountId ?? 'alice';
}

/** What a server's own code makes of a yes. */
async function nativeGrant(provider: Provider, authReqId: string, scope?: string): Promise<string> {
  const found = await provider.BackchannelAuthenticationRequest.find(authReqId, { ignoreExpiration: true });
  const grant = new provider.Grant({
    accountId: String(found?.accountId),
    clientId: String(found?.clientId),
  });
  const asked = (found as { scope?: string } | undefined)?.scope ?? 'openid';
  grant.addOIDCScope(scope ?? asked);
  for (const resource of [(found as { resource?: string | string[] } | undefined)?.resource ?? []].flat()) {
    grant.addResourceScope(resource, scope ?? asked);
  }
  return grant.save();
}

function everyEventOf(provider: Provider): string[] {
  const heard: string[] = [];
  const emit = provider.emit.bind(provider);
  provider.emit = (name: string | symbol, ...rest: unknown[]): boolean => {
    heard.push(String(name));
    return emit(name, ...rest);
  };
  return heard;
}
