import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { ClientMetadata } from 'oidc-provider';
import { makeAuthority } from '../../example-app/fapi/certificates.js';
import { pollClient } from '../support/configuration.js';
import { acceptance, mends } from '../support/native-row.js';
import { type Receiver, startReceiver, status } from '../support/receiver.js';
import {
  ask,
  asked,
  bareServer,
  introspect,
  type PluginServerOptions,
  poll,
  type Server,
  type ServerOptions,
} from '../support/server.js';
import { until } from '../support/until.js';

// oidc-provider's guard is made of Node's own dispatcher, which is a global of the realm that Jest keeps its specs out of.
const node = fetch.constructor('Response; return globalThis')();
for (const version of [1, 2]) {
  const name = Symbol.for(`undici.globalDispatcher.${version}`);
  Object.assign(globalThis, { [name]: node[name] });
}

const authority = await makeAuthority();
const certificate = await authority.issue();
const [receiver, neighbour, plain] = await Promise.all([
  startReceiver({ certificate }),
  startReceiver({ certificate, host: '::1' }),
  startReceiver(),
]);
const receivers: readonly Receiver[] = [receiver, neighbour, plain];

beforeEach(() => {
  for (const each of receivers) each.answer(status(204));
});
afterAll(() => Promise.all(receivers.map((each) => each.close())));

const told = (client: string, mode: string, endpoint: string = receiver.url): ClientMetadata =>
  pollClient(client, {
    backchannel_token_delivery_mode: mode as 'ping',
    backchannel_client_notification_endpoint: endpoint,
  });

/**
 * The `fetch` of an operator of bare oidc-provider who wants to reach a private network. That oidc-provider refuses one is in a
 * dispatcher of its own, which can be left out as a whole and not in part.
 */
async function ownFetch(
  url: string,
  { method = 'GET', headers, body, signal }: RequestInit,
): Promise<Response> {
  const sent = request(url, {
    method,
    headers: Object.fromEntries(new Headers(headers)),
    ca: authority.ca,
    // Node 22.23 does not find an IPv6 address among a certificate's names.
    servername: 'localhost',
    ...(signal && { signal }),
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await text(response);
  return new Response(null, { status: response.statusCode ?? 500 });
}

/** Both servers may send to the receiver. */
const given: ServerOptions = {
  config: { clients: [pollClient('till'), told('pinged', 'ping')], fetch: ownFetch as never },
  hooks: { deliveryModes: ['poll', 'ping'] },
};
const plugin: PluginServerOptions = {
  ciba: { delivery: { allowedAddresses: ['127.0.0.1'], allowedPorts: 'any', ca: authority.ca } },
};

const withToken = () => ({ client_notification_token: randomBytes(16).toString('base64url') });
const askedBy = (server: Server, client: string, params = {}): Promise<string> =>
  asked(server, { ...withToken(), ...params }, { client });
/** How often the client of this request was told, at one receiver or another. */
const times = (authReqId: string, at: Receiver = receiver): number =>
  at.received.filter(({ body }) => JSON.parse(body).auth_req_id === authReqId).length;
const heard = (server: Server, name: string): Promise<void> =>
  until(`${name} is heard`, () => server.heard.includes(name));

describe('native row 3: push', () => {
  mends('a client that is registered for it is told its tokens [PUSH-1]', {
    check: async (server) => {
      const { body } = await ask(server, withToken(), { client: 'pushed' });
      expect(body.error).toBe(undefined);
      await server.approve(body.auth_req_id);
      await until('it is told', () => times(body.auth_req_id) === 1);
      const message = receiver.received.find((each) => each.body.includes(body.auth_req_id));
      const { access_token: accessToken } = JSON.parse(String(message?.body));
      expect((await introspect(server, accessToken)).active).toBe(true);
    },
    bareShows: 'invalid_client_metadata',
    given: { config: { ...given.config, clients: [pollClient('till'), told('pushed', 'push')] } },
    plugin: { ...plugin, hooks: { deliveryModes: ['poll', 'ping', 'push'] } },
  });
});

describe('native row 5: a ping inside of the approval', () => {
  mends('a client that hangs harms no approval [PING-1]', {
    check: async (server) => {
      let letGo = (): void => {};
      receiver.answer((response) => {
        letGo = () => response.writeHead(204).end();
      });
      const authReqId = await askedBy(server, 'pinged');
      expect(await acceptance(server.approve(authReqId))).toBe('accepted');
      expect((await poll(server, authReqId, {}, { client: 'pinged' })).status).toBe(200);
      await until('it has arrived', () => times(authReqId) === 1);
      letGo();
    },
    bareShows: 'refused',
    given,
    plugin,
  });

  mends('a client that answers 503 harms no approval, and is told again [PING-7]', {
    check: async (server) => {
      receiver.answer(status(503), status(204));
      const authReqId = await askedBy(server, 'pinged');
      expect(await acceptance(server.approve(authReqId))).toBe('accepted');
      await heard(server, 'delivery.delayed');
      server.advance(3);
      await heard(server, 'delivery.delivered');
      expect(times(authReqId)).toBe(2);
    },
    bareShows: 'refused',
    given,
    plugin,
  });

  it('bare oidc-provider stores the approval that it has refused, and tries no second time', async () => {
    const server = bareServer(given);
    receiver.answer(status(503), status(204));
    const authReqId = await askedBy(server, 'pinged');
    expect(await acceptance(server.approve(authReqId))).toBe('refused');
    expect((await poll(server, authReqId, {}, { client: 'pinged' })).status).toBe(200);
    expect(times(authReqId)).toBe(1);
    await server.close();
  });
});

describe.each([201, 202, 206, 299])('native row 6: a client that answers %i', (code) => {
  mends('it has been told [PING-4]', {
    check: async (server) => {
      receiver.answer(status(code));
      const authReqId = await askedBy(server, 'pinged');
      expect(await acceptance(server.approve(authReqId))).toBe('accepted');
      await heard(server, 'delivery.delivered');
      expect(times(authReqId)).toBe(1);
    },
    bareShows: 'refused',
    given,
    plugin,
  });
});

describe('native row 7: an endpoint on a private address', () => {
  mends('it can be allowed', {
    check: async (server) => {
      const authReqId = await askedBy(server, 'pinged');
      expect(await reason(server.approve(authReqId))).toBe(undefined);
      await until('it is told', () => times(authReqId) === 1);
    },
    bareShows: 'hostname resolves to a special-use IP address',
    given: {
      ...given,
      config: {
        ...given.config,
        clients: [told('pinged', 'ping', plain.url.replace('http:', 'https:'))],
        // The certificate is not what the row is about: bare oidc-provider has no setting for an authority to trust.
        fetch: (url, options) => fetch(String(url).replace('https:', 'http:'), options as RequestInit),
      },
    },
    plugin: { ...plugin, config: { clients: [told('pinged', 'ping')] } },
  });

  mends('it can be allowed, and no other with it [PING-11]', {
    check: async (server) => {
      const authReqId = await askedBy(server, 'pinged');
      await server.approve(authReqId);
      await until('it is told', () => times(authReqId) === 1);
      const { body } = await ask(server, withToken(), { client: 'near' });
      if (body.auth_req_id) await server.approve(body.auth_req_id);
      expect(times(String(body.auth_req_id), neighbour)).toBe(0);
      expect(body.error).toBe('invalid_client_metadata');
    },
    bareShows: 1,
    given: {
      ...given,
      config: { ...given.config, clients: [told('near', 'ping', neighbour.url), told('pinged', 'ping')] },
    },
    plugin,
  });
});

describe('native row 13: the end of a request that nobody decides', () => {
  mends('the client is told of it where the server wants that [PING-8]', {
    check: async (server) => {
      const authReqId = await askedBy(server, 'pinged', { requested_expiry: '10' });
      server.advance(12);
      // Nothing in bare oidc-provider looks: how long that is waited for changes nothing.
      const patience = 'ciba' in server ? 20_000 : 2_000;
      await until('it is told', () => times(authReqId) > 0, patience).catch(() => {});
      expect(times(authReqId)).toBe(1);
      const { body } = await poll(server, authReqId, {}, { client: 'pinged' });
      expect(body.error).toBe('expired_token');
    },
    bareShows: 0,
    given,
    plugin: { ciba: { delivery: { ...plugin.ciba?.delivery, notifyExpiry: true } } },
  });
});

/** Why a call was refused, or nothing where it was not. */
async function reason(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(
    () => undefined,
    (error: Error) => String((error.cause as Error | undefined)?.message ?? error.message),
  );
}
