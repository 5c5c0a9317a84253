import { readFile } from 'node:fs/promises';
import { bodyOf, sendRaw } from '../compat/dialect-server.js';
import { M1, M2, M3, M4, M5, M6, M7, M8 } from '../compat/tutorial-messages.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import { until } from '../support/until.js';
import { ExampleServer } from './example-server.js';

const portOf = (server: ExampleServer): number => Number(new URL(server.origin).port);

const REGISTER_M1 = `POST /register HTTP/1.1\nHost: as.example.com\nContent-Type: application/json\n\n${M1}`;

describe('the tutorial’s requests, pasted into the example', () => {
  let server: ExampleServer;
  beforeAll(async () => {
    server = await ExampleServer.start({ INTERVAL: '5' });
  });
  afterAll(() => server.stop());

  it.each([
    ['my-client', M2, M4, 'req123'],
    ['smart-home-device', M7, M8, 'req456'],
  ])(
    '%s is acknowledged, asks Alice and gets its tokens [SD-9] [SD-14] [SD-15]',
    async (_client, ask, poll, printed) => {
      const asked = await sendRaw(portOf(server), ask);
      expect({ status: asked.status, body: asked.body }).toMatchObject({
        status: 200,
        body: { expires_in: 3600, interval: 5 },
      });
      const id = String(asked.body['auth_req_id']);
      const mine = poll.replace(printed, id);
      expect((await sendRaw(portOf(server), poll)).body['error']).toBe('invalid_grant');
      expect((await sendRaw(portOf(server), mine)).body['error']).toBe('authorization_pending');
      expect((await server.decide(id, 'allow')).status).toBe(204);
      const { status, body } = await sendRaw(portOf(server), mine);
      expect({ status, members: Object.keys(body) }).toEqual({
        status: 200,
        members: expect.arrayContaining(Object.keys(JSON.parse(bodyOf(M5)))),
      });
    },
  );

  it.each([
    ['my-client', REGISTER_M1],
    ['smart-home-device', M6],
  ])(
    '%s is registered with the id and the secret that are printed [SD-1] [SD-3]',
    async (clientId, register) => {
      const { status, body } = await sendRaw(portOf(server), register);
      expect({ status, clientId: body['client_id'] }).toEqual({ status: 201, clientId });
    },
  );

  it('nobody else gets these ids [SD-2]', async () => {
    const { status } = await sendRaw(portOf(server), M6.replace('device-secret', 'another-secret'));
    expect(status).toBe(403);
  });

  it('nothing is printed of bodies that were read before [D-20]', () => {
    expect(server.output).not.toContain('already parsed');
  });
});

describe('the tutorial’s callback, sent by the example', () => {
  let server: ExampleServer;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
    server = await ExampleServer.start({ INTERVAL: '5', TUTORIAL_CALLBACK: receiver.url });
  });
  afterAll(async () => {
    await server.stop();
    await receiver.close();
  });

  it('is what is printed, and then how it ended [SD-11] [SD-12]', async () => {
    const { body } = await sendRaw(portOf(server), M2);
    const id = String(body['auth_req_id']);
    await until('the client was told', () => receiver.received.length === 1);
    await server.decide(id, 'deny');
    await until('the client was told again', () => receiver.received.length === 2);
    const printed = { ...JSON.parse(bodyOf(M3)), auth_req_id: id };
    expect(receiver.received.map((told) => JSON.parse(told.body))).toEqual([
      printed,
      { ...printed, status: 'failure' },
    ]);
  });
});

test.each([
  ['in production', { NODE_ENV: 'production' }],
  ['for an issuer that is elsewhere', { ISSUER: 'https://op.example' }],
])('the tutorial’s clients are not there %s [D-5] [D-61]', async (_where, env) => {
  const server = await ExampleServer.start(env);
  expect((await sendRaw(portOf(server), M2)).status).toBe(404);
  const answer = await sendRaw(
    portOf(server),
    M2.replace('/ciba/auth', '/backchannel').replaceAll('\n&', '&'),
  );
  expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
  await server.stop();
});

test('docs/tutorial.md holds the tutorial’s bodies byte for byte', async () => {
  const page = await readFile(new URL('../../docs/tutorial.md', import.meta.url), 'utf8');
  const pasted = [...page.matchAll(/--data-binary '([^']+)'/g)].map(([, body]) => body);
  expect(pasted).toEqual([M1, ...[M2, M4, M6, M7, M8].map(bodyOf)]);
  expect(page).toContain(bodyOf(M3));
});
