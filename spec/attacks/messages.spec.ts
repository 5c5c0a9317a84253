import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errors } from 'oidc-provider';
import type { CibaError } from 'oidc-provider-ciba';
import { linked, open, options as pages } from '../page/linked.js';
import { pollClient } from '../support/configuration.js';
import { ask, basic, type PluginServerOptions, poll } from '../support/server.js';
import { attackSpecs, expectError, type Run } from './attack-specs.js';
import { sendRaw } from './fuzz/connection.js';

const CODED = ['one', 'two', 'three'];
const coded: PluginServerOptions = {
  config: { clients: CODED.map((id) => pollClient(id, { backchannel_user_code_parameter: true })) },
};

/** Each of these messages is refused. */
const refusing =
  (...messages: readonly string[]): Run =>
  async ({ make, refused }) => {
    const server = make();
    for (const message of messages) {
      await refused(server, () => ask(server, { binding_message: message }), 'invalid_binding_message');
    }
    expect((await ask(server, { binding_message: 'Pay 12.50 EUR' })).status).toBe(200);
  };

attackSpecs('Binding message, user code, matching number', {
  A30: refusing(`\u{1F600}\u{1F44D}\u{1F3FD} \u652F\u4ED8\u5341\u4E8C\u6B27\u5143 ${'x'.repeat(450)}`),
  A31: refusing(
    'Pay \u202E00.12',
    'Pay \u206612\u2069',
    'Pay\u200B12',
    '\uFEFFPay 12',
    'Pay\u{E0020}12',
    'Pay\u000012',
    'Pay\u001B[2J',
    'Pay\r\nBcc: x',
    'Pay\t12',
    'x'.repeat(50_000),
  ),
  A32: refusing('\u0440\u0430ypal'),
  A33: refusing('x'.repeat(65), ' ', '     ', 'Mu\u0308ller'),
  async A34({ make }) {
    const server = make(pages());
    for (const message of ['<script>alert(1)</script>', '{{7*7}}', '%s%n', '=cmd()', '"><b>']) {
      const { link } = await linked(server, { binding_message: message });
      const { text } = await open(server, link, 'alice');
      const shown = message.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
      expect(text).toContain(shown);
      if (shown !== message) expect(text).not.toContain(message);
    }
  },
  async A35({ make }) {
    const server = make();
    const listener = createServer(server.app).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    try {
      for (const bytes of ['%ff%fe', '%c0%af', '%ed%a0%80', '%f4%90%80%80', '\xff\xfe', '\xed\xa0\x80']) {
        const body = Buffer.from(`scope=openid&login_hint=alice&binding_message=Pay${bytes}`, 'latin1');
        const head = [
          'POST /backchannel HTTP/1.1',
          'Host: op.example',
          `Authorization: ${basic('till')}`,
          'Content-Type: application/x-www-form-urlencoded',
          `Content-Length: ${body.length}`,
        ].join('\r\n');
        const { port } = listener.address() as AddressInfo;
        const answer = await sendRaw(port, Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]));
        expect({ status: answer.status, error: JSON.parse(answer.body).error }).toEqual({
          status: 400,
          error: 'invalid_binding_message',
        });
      }
      expect(await server.ciba.requests.list('alice')).toEqual([]);
    } finally {
      listener.close();
    }
  },
  async A36({ make, refused }) {
    const server = make({
      hooks: {
        validateBindingMessage: (_ctx, message) => {
          if (message === undefined) throw new errors.InvalidBindingMessage('a message is required');
        },
      },
    });
    await refused(server, () => ask(server), 'invalid_binding_message');
    expect((await ask(server, { binding_message: 'x' })).status).toBe(200);
  },
  async A37({ unlimited, refused }) {
    const server = unlimited(coded);
    const send = (code?: string) => () => ask(server, { user_code: code }, { client: 'one' });
    await refused(server, send(), 'missing_user_code');
    await refused(server, send(''), 'missing_user_code');
    expectError(await send('4321')(), 'invalid_user_code');
    expect(await server.ciba.requests.list('alice')).toEqual([]);
    expect((await send('1234')()).status).toBe(200);
  },
  async A38({ unlimited }) {
    const server = unlimited(coded);
    const guess = (client: string, code: string, who = 'alice') =>
      ask(server, { user_code: code, login_hint: who }, { client });
    for (const client of CODED) {
      for (const code of ['0001', '0002']) expectError(await guess(client, code), 'invalid_user_code');
    }
    for (const client of CODED) {
      for (const code of ['0003', '1234']) expectError(await guess(client, code), 'access_denied', 403);
    }
    expect(await server.ciba.requests.list('alice')).toEqual([]);
    expect((await guess('one', '1234', 'bob')).status).toBe(200);
    server.advance(901);
    expect((await guess('one', '1234')).status).toBe(200);
  },
  async A39({ make }) {
    const server = make({ config: { clients: [pollClient('till', { ciba_number_matching: true })] } });
    const { body } = await ask(server);
    const right = String(body.matching_number);
    const wrong = ['10', '11', '12', '13'].filter((number) => number !== right).slice(0, 3);
    const handle = server.ciba.requests.handleOf(body.auth_req_id);
    const give = (number: string): Promise<string> =>
      server.ciba.requests.approve(handle, { accountId: 'alice', number }).then(
        () => 'approved',
        (error: CibaError) => error.code,
      );
    const told = await Promise.all(wrong.map(give));
    expect(told.filter((code) => code === 'wrong_number')).toHaveLength(1);
    expect(await give(right)).toBe('already_decided');
    expect((await server.ciba.requests.get(handle))?.status).toBe('denied');
    expectError(await poll(server, body.auth_req_id), 'access_denied');
  },
});
