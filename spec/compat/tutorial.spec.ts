import { onEveryStore } from '../support/every-store.js';
import { startReceiver } from '../support/receiver.js';
import type { PluginServer } from '../support/server.js';
import { until } from '../support/until.js';
import { bodyOf, DIALECT, dialect, type Listening, listening, myClient, sendRaw } from './dialect-server.js';
import { M1, M2, M3, M4, M5, M6, M7, M8, M9 } from './tutorial-messages.js';

const clients = { 'my-client': { secret: 'supersecret', subject: 'alice' } };
const preapproved = { ...clients, 'smart-home-device': { secret: 'device-secret', subject: 'alice' } };

/** The names of the members that a printed answer has. */
const membersOf = (message: string): string[] => Object.keys(JSON.parse(bodyOf(message))).sort();

/** A request around the document, which the tutorial prints without one. */
const REGISTER_M1 = `POST /register HTTP/1.1\nHost: as.example.com\nContent-Type: application/json\n\n${M1}`;

onEveryStore('the tutorial, message by message over TCP', (make) => {
  let server: PluginServer;
  let open: Listening;

  async function start(first: Parameters<typeof dialect>[1] = []) {
    server = dialect(make, first, {}, { preapproved });
    open = await listening(server.app);
  }
  afterEach(() => open.close());

  it.each([
    ['my-client', REGISTER_M1, M2, M4, 'req123', M5, 'Please authenticate for my-client'],
    ['smart-home-device', M6, M7, M8, 'req456', M9, 'Please authenticate your smart home device'],
  ])(
    '%s registers, asks, polls and gets its tokens [D-1] [D-12] [D-17] [D-20] [D-39] [D-45] [D-56] [D-57] [D-58] [D-59]',
    async (clientId, register, ask, poll, printedId, printedAnswer, bindingMessage) => {
      await start();
      const registered = await sendRaw(open.port, register);
      expect({ status: registered.status, id: registered.body['client_id'] }).toEqual({
        status: 201,
        id: clientId,
      });

      const asked = await sendRaw(open.port, ask);
      expect({ status: asked.status, body: asked.body }).toEqual({
        status: 200,
        body: { auth_req_id: expect.stringMatching(/^[\w-]{43}$/), expires_in: 3600, interval: 5 },
      });
      const id = String(asked.body['auth_req_id']);
      expect(await server.ciba.requests.list('alice')).toMatchObject([{ clientId, bindingMessage }]);

      const printed = await sendRaw(open.port, poll);
      expect({ status: printed.status, error: printed.body['error'] }).toEqual({
        status: 400,
        error: 'invalid_grant',
      });
      const mine = poll.replace(printedId, id);
      expect((await sendRaw(open.port, mine)).body['error']).toBe('authorization_pending');
      await server.approve(id);
      const answer = await sendRaw(open.port, mine);
      expect(answer.status).toBe(200);
      expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(membersOf(printedAnswer)));
      expect(answer.body).toMatchObject({ token_type: 'Bearer', expires_in: 3600 });
      expect(answer.headers.get('cache-control')).toContain('no-store');
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    },
  );

  it('is told its callback as it is printed [D-31] [D-33] [D-35] [D-37]', async () => {
    const receiver = await startReceiver();
    const callback = receiver.url.replace('/notify', '/callback');
    await start([myClient({ ...DIALECT, redirect_uris: [callback] })]);
    const { body } = await sendRaw(open.port, M2);
    await until('the client was told', () => receiver.received.length === 1);
    const [told] = receiver.received;
    const printed = JSON.parse(bodyOf(M3));
    expect({ ...told, body: JSON.parse(String(told?.body)) }).toMatchObject({
      method: 'POST',
      path: '/callback',
      headers: { 'content-type': 'application/json' },
      body: { ...printed, auth_req_id: body['auth_req_id'] },
    });
    expect(Object.keys(JSON.parse(String(told?.body)))).toEqual(Object.keys(printed));
    await receiver.close();
  });
});
