import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import { CIBA_GRANT, pollClient } from '../support/configuration.js';
import { countConnects, hang, type Receiver, startReceiver, status } from '../support/receiver.js';
import { asked, type PluginServer, type PluginServerOptions, poll } from '../support/server.js';
import { until } from '../support/until.js';
import { attackSpecs, type Field, type Run } from './attack-specs.js';

const registering: PluginServerOptions = {
  hooks: { deliveryModes: ['poll', 'ping'] },
  features: { registration: { enabled: true } },
};
const register = async (server: PluginServer, endpoint: string) =>
  request(server.app)
    .post('/reg')
    .send({
      redirect_uris: [],
      response_types: [],
      grant_types: [CIBA_GRANT],
      backchannel_token_delivery_mode: 'ping',
      backchannel_client_notification_endpoint: endpoint,
    });

/** No client may register any of these endpoints, and nobody is connected to. */
const refusing =
  (...endpoints: readonly string[]): Run =>
  async ({ make }) => {
    const server = make(registering);
    for (const endpoint of endpoints) {
      const { status: code, body } = await register(server, endpoint);
      expect({ endpoint, status: code, error: body.error }).toEqual({
        endpoint,
        status: 400,
        error: 'invalid_client_metadata',
      });
    }
    expect(server.store.count('Client')).toBe(0);
  };
const https = (...hosts: readonly string[]): string[] => hosts.map((host) => `https://${host}/cb`);

const pinged = (endpoint: string) =>
  pollClient('pinged', {
    backchannel_token_delivery_mode: 'ping',
    backchannel_client_notification_endpoint: endpoint,
  });
const askPinged = (server: PluginServer, login_hint = 'alice'): Promise<string> => {
  const client_notification_token = randomBytes(16).toString('base64url');
  return asked(server, { client_notification_token, login_hint }, { client: 'pinged' });
};
const toldAs = (server: PluginServer, id: string, state: string): Promise<void> =>
  until(`the delivery is ${state}`, async () => {
    const view = await server.ciba.deliveries.get(server.ciba.requests.handleOf(id));
    return view?.state === state;
  });

/** Approves a request of a client whose endpoint is a receiver's. */
async function approvedAt(receiver: Receiver, { unlimited }: Field, state: string) {
  const server = unlimited({
    config: { clients: [pinged(receiver.url)] },
    hooks: { deliveryModes: ['poll', 'ping'] },
    ciba: { delivery: { allowLoopback: true } },
  });
  const id = await askPinged(server);
  await server.approve(id);
  await toldAs(server, id, state);
  return { server, id };
}

/** Runs something with a receiver. */
const receiving =
  (run: (receiver: Receiver, field: Field) => Promise<void>): Run =>
  async (field) => {
    const receiver = await startReceiver();
    try {
      await run(receiver, field);
    } finally {
      await receiver.close();
    }
  };

attackSpecs('Notification endpoint: registration, SSRF, answers', {
  A60: refusing(
    'http://client.example/cb',
    'ftp://client.example/cb',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'https://',
    'https:///cb',
    'x',
  ),
  A61: refusing(
    ...https('u:p@client.example', 'client.example:22', 'client.example:25', 'client.example:6379'),
    'https://client.example/cb#x',
  ),
  A62: refusing(...https('127.0.0.1', '127.1', '0', '2130706433', '0x7f.1', '0177.0.0.1')),
  A63: refusing(...https('[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]')),
  A64: refusing(...https('169.254.169.254', '[fd00:ec2::254]', '100.100.100.200', 'metadata')),
  async A65(field) {
    await refusing(
      ...https('10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1', '100.64.0.1'),
      ...https('100.127.255.255', '[fc00::1]', '[fdff::1]', '[fe80::1]', '[febf::1]'),
    )(field);
    const server = field.make(registering);
    for (const endpoint of https(
      '9.255.255.255',
      '11.0.0.1',
      '172.15.255.255',
      '172.32.0.1',
      '100.63.255.255',
      '100.128.0.0',
    )) {
      expect({ endpoint, status: (await register(server, endpoint)).status }).toEqual({
        endpoint,
        status: 201,
      });
    }
  },
  A66: refusing(
    ...https('[64:ff9b::a9fe:a9fe]', '[2002:7f00:1::]', '[2002:a9fe:a9fe::1]', '[2001:0:53aa:64c::1]'),
  ),
  A67: refusing(...https('224.0.0.1', '239.1.1.1', '[ff02::1]', '255.255.255.255', '240.0.0.1', '0.1.2.3')),
  A68: refusing(
    ...https(
      'localhost',
      'localhost.',
      'app.localhost',
      'printer.local',
      'db.internal',
      'intranet',
      'intranet.',
    ),
    ...https(
      '\uFF11\uFF12\uFF17.\uFF10.\uFF10.\uFF11',
      '\u2460\u2461\u2466.0.0.1',
      '127\u30020\u30020\u30021',
    ),
  ),
  A72: receiving(async (receiver, field) => {
    const elsewhere = await startReceiver();
    try {
      receiver.answer(status(302, { location: elsewhere.url }));
      await approvedAt(receiver, field, 'failed');
      expect({ calls: receiver.received.length, followed: elsewhere.connections }).toEqual({
        calls: 1,
        followed: 0,
      });
    } finally {
      await elsewhere.close();
    }
  }),
  async A73({ unlimited }) {
    let listener: Server | undefined;
    for (const path of ['/backchannel', '/token', '/backchannel/cancel']) {
      const calls: string[] = [];
      let server: PluginServer | undefined;
      listener = createServer((req, res) => {
        calls.push(String(req.url));
        server?.app(req, res);
      }).listen(0, '127.0.0.1');
      await once(listener, 'listening');
      const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
      server = unlimited({
        issuer: origin,
        config: { clients: [pinged(`${origin}${path}`)] },
        hooks: { deliveryModes: ['poll', 'ping'] },
        ciba: { delivery: { allowLoopback: true } },
      });
      const id = await askPinged(server);
      await server.approve(id);
      await toldAs(server, id, 'failed');
      expect(calls).toEqual([path]);
      listener.close();
    }
  },
  async A74({ make }) {
    const server = make(registering);
    const stored = pinged('https://169.254.169.254/cb');
    await server.store.adapter('Client').upsert('pinged', stored as never, 3600);
    const begun = await countConnects(async () => {
      const id = await askPinged(server);
      await server.approve(id);
      await toldAs(server, id, 'failed');
    });
    // Those that are begun are the spec's own, to the server: three at most.
    expect(begun).toBeLessThanOrEqual(3);
    // Told once it is stored.
    await until('it is told', () => server.heard.includes('delivery.failed'));
    expect(server.events.find(({ name }) => name === 'delivery.failed')?.event).toMatchObject({
      reason: 'refused',
    });
  },
  A76: receiving(async (receiver, field) => {
    receiver.answer(status(401, { 'www-authenticate': 'Bearer' }));
    const { server, id } = await approvedAt(receiver, field, 'failed');
    expect(receiver.received).toHaveLength(1);
    expect((await poll(server, id, {}, { client: 'pinged' })).status).toBe(200);
  }),
  A77: receiving(async (receiver, field) => {
    receiver.answer(status(200, { 'set-cookie': 'a=b', 'content-encoding': 'gzip' }, 'x'.repeat(300_000)));
    const { server } = await approvedAt(receiver, field, 'delivered');
    const id = await askPinged(server);
    await server.approve(id);
    await toldAs(server, id, 'delivered');
    expect(receiver.received.map(({ headers }) => headers.cookie)).toEqual([undefined, undefined]);
  }),
  A78: receiving(async (receiver, { unlimited }) => {
    receiver.answer(hang());
    const server = unlimited({
      config: { clients: [pinged(receiver.url)] },
      hooks: { deliveryModes: ['poll', 'ping'] },
      ciba: { delivery: { allowLoopback: true } },
    });
    for (let time = 0; time < 24; time += 1) await server.approve(await askPinged(server));
    await until('the endpoint is full', () => receiver.received.length >= 8);
    expect(receiver.open).toBeLessThanOrEqual(8);
    receiver.answer(status(204));
  }),
});
