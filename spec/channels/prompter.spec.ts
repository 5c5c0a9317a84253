import { jest } from '@jest/globals';
import { type ChainStep, type Channel, ChannelError, type Prompt } from 'oidc-provider-ciba';
import { onEveryStore } from '../support/every-store.js';
import { asked, type Heard, type PluginServer } from '../support/server.js';
import { until } from '../support/until.js';

/** A channel of the server's own: it writes down what it is given, and fails as it is told. */
class Inbox implements Channel {
  readonly name: string;
  readonly sent: Prompt[] = [];
  readonly dismissed: Prompt[] = [];
  readonly #failures: Error[];
  closed = 0;

  constructor(name: string, failures: Error[] = []) {
    this.name = name;
    this.#failures = failures;
  }

  async send(prompt: Prompt): Promise<void> {
    const failure = this.#failures.shift();
    if (failure) throw failure;
    this.sent.push(prompt);
  }

  async dismiss(prompt: Prompt): Promise<void> {
    this.dismissed.push(prompt);
  }

  close(): void {
    this.closed += 1;
  }
}

const handleOf = (server: PluginServer, authReqId: string): string =>
  server.ciba.requests.handleOf(authReqId);
const heard = <Name extends Heard['name']>(server: PluginServer, name: Name): unknown[] =>
  server.events.filter((each) => each.name === name).map(({ event }) => event);
const down = (): ChannelError => new ChannelError('unavailable', 'it is down');

onEveryStore('reaching people', (make) => {
  it('[UX-2] [SEC-2] tells who asks, for what, with the binding message and a link, and no secret', async () => {
    const app = new Inbox('app');
    const server = make({ ciba: { channels: [app], interaction: () => undefined } });
    const authReqId = await asked(server, { binding_message: 'Pay 12.50 EUR', scope: 'openid profile' });
    await until('it was sent', () => app.sent.length === 1);
    const [prompt] = app.sent as [Prompt];
    expect(prompt).toEqual({
      handle: handleOf(server, authReqId),
      clientId: 'till',
      clientName: 'The till',
      accountId: 'alice',
      scope: 'openid profile',
      claims: [],
      authorizationDetails: [],
      bindingMessage: 'Pay 12.50 EUR',
      expiresAt: expect.any(Date),
      expiresIn: expect.any(Number),
      link: expect.stringMatching(/^http:\/\/op\.example\/ciba\/decide\/[\w-]{22}\.[\w-]{22}$/),
    });
    expect(JSON.stringify(prompt)).not.toContain(authReqId);
  });

  it('gives no link where there is no decision page', async () => {
    const app = new Inbox('app');
    const server = make({ ciba: { channels: [app] } });
    await asked(server);
    await until('it was sent', () => app.sent.length === 1);
    expect(app.sent[0]?.link).toBeUndefined();
  });

  it('acknowledges before anybody is reached, and however long that takes', async () => {
    let reach = (): void => {};
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    const slow: Channel = { name: 'slow', send: () => reached };
    const server = make({ ciba: { channels: [slow] } });
    await asked(server);
    expect(server.heard).not.toContain('prompt.sent');
    reach();
    await until('it is told', () => server.heard.includes('prompt.sent'));
  });

  it('tries the next channel when nobody has decided, and none once somebody has', async () => {
    const [app, mail, text] = [new Inbox('app'), new Inbox('mail'), new Inbox('text')];
    const server = make({ ciba: { channels: [app, mail, text] } });
    const authReqId = await asked(server);
    await until('the first was sent', () => server.heard.includes('prompt.sent'));
    expect(mail.sent).toHaveLength(0);
    server.advance(20);
    await until('the second was sent', () => heard(server, 'prompt.sent').length === 2);
    expect(mail.sent).toHaveLength(1);
    await server.approve(authReqId);
    await until('both were taken away', () => heard(server, 'prompt.dismissed').length === 2);
    server.advance(60);
    // Another request goes all the way meanwhile, so that this one would have had its turn.
    await asked(server);
    await until('the other one was sent', () => app.sent.length === 2);
    expect({ app: app.dismissed.length, mail: mail.dismissed.length, text: text.sent.length }).toEqual({
      app: 1,
      mail: 1,
      text: 0,
    });
  });

  it.each<[string, (server: PluginServer, authReqId: string) => Promise<unknown>]>([
    ['denied', (server, id) => server.deny(id)],
    ['cancelled', (server, id) => server.ciba.requests.cancel(handleOf(server, id))],
    ['reported', (server, id) => server.ciba.requests.report(handleOf(server, id), { accountId: 'alice' })],
    ['expired', async (server) => server.advance(301)],
  ])('takes the prompt away when the request is %s', async (_, end) => {
    const app = new Inbox('app');
    const server = make({ ciba: { channels: [app] } });
    const authReqId = await asked(server);
    await until('it is told', () => server.heard.includes('prompt.sent'));
    await end(server, authReqId);
    await until('it is taken away', () => app.dismissed.length === 1);
    expect(app.dismissed[0]?.handle).toBe(handleOf(server, authReqId));
  });

  it('takes away what was sent while the decision fell', async () => {
    let decide = async (): Promise<void> => {};
    const app = new Inbox('app');
    const send = app.send.bind(app);
    app.send = async (prompt) => {
      await decide();
      await send(prompt);
    };
    const server = make({ ciba: { channels: [app] } });
    let authReqId = '';
    const known = new Promise<void>((resolve) => {
      decide = () =>
        until('the id is known', () => authReqId !== '')
          .then(() => server.deny(authReqId))
          .then(resolve);
    });
    authReqId = await asked(server);
    await known;
    await until('it is taken away', () => app.dismissed.length === 1);
    expect(app.sent).toHaveLength(1);
  });

  it.each([
    ['down', down(), { reason: 'unavailable', again: true }],
    ['gone', new ChannelError('gone', 'the subscription is gone'), { reason: 'gone', again: false }],
    ['without an address', new ChannelError('no_address', 'none'), { reason: 'no_address', again: false }],
    ['broken', new TypeError('a fault'), { reason: 'unavailable', again: true }],
  ])(
    'moves on at once from a channel that is %s: the request lives, an event tells',
    async (_, failure, told) => {
      const [app, mail] = [new Inbox('app', [failure]), new Inbox('mail')];
      const server = make({ ciba: { channels: [app, mail] } });
      const authReqId = await asked(server);
      await until('the second was sent', () => mail.sent.length === 1);
      await until('it is told', () => server.heard.includes('prompt.sent'));
      expect(heard(server, 'prompt.failed')[0]).toEqual({
        handle: handleOf(server, authReqId),
        clientId: 'till',
        accountId: 'alice',
        channel: 'app',
        attempts: 1,
        ...told,
        cause: failure,
      });
      expect((await server.ciba.requests.get(handleOf(server, authReqId)))?.status).toBe('pending');
    },
  );

  it('tries a channel again that did not answer, beside the next one', async () => {
    const [app, mail] = [new Inbox('app', [down(), down()]), new Inbox('mail')];
    const server = make({ ciba: { channels: [app, mail] } });
    await asked(server);
    await until('the second was sent', () => mail.sent.length === 1);
    server.advance(2);
    await until('it failed again', () => heard(server, 'prompt.failed').length === 2);
    server.advance(3);
    await until('it was sent', () => app.sent.length === 1);
    expect(mail.sent).toHaveLength(1);
  });

  it('says when no channel reaches the person, once, and the request lives on', async () => {
    const channels = ['app', 'mail'].map((name) => new Inbox(name, [new ChannelError('no_address', 'none')]));
    const server = make({ ciba: { channels } });
    const authReqId = await asked(server);
    await until('it is told', () => server.heard.includes('prompt.unreachable'));
    const handle = handleOf(server, authReqId);
    expect(heard(server, 'prompt.unreachable')).toEqual([{ handle, clientId: 'till', accountId: 'alice' }]);
    await server.approve(authReqId);
  });

  it('asks the server for the order of this person and client, and keeps to it', async () => {
    const [app, mail, text] = [new Inbox('app'), new Inbox('mail'), new Inbox('text')];
    const chain = jest.fn(({ clientId }: { clientId: string }): ChainStep[] =>
      clientId === 'kiosk' ? [{ channel: ['mail', 'text'] }, { channel: 'app' }] : [{ channel: 'app' }],
    );
    const server = make({ ciba: { channels: [app, mail, text], chain } });
    await asked(server, {}, { client: 'kiosk' });
    await until('both were sent', () => heard(server, 'prompt.sent').length === 2);
    expect([app, mail, text].map(({ sent }) => sent.length)).toEqual([0, 1, 1]);
    await asked(server);
    await until('the third was sent', () => app.sent.length === 1);
    expect(chain).toHaveBeenCalledTimes(2);
  });

  it.each<[string, () => unknown]>([
    ['throws', () => Promise.reject(new Error('the directory is away'))],
    ['says nothing', () => undefined],
    ['says no list', () => ({ channel: 'app' })],
    ['names no channel', () => [{}]],
    ['names one that is not there', () => [{ channel: 'mail' }, { channel: ['app', 'pager'] }]],
    ['waits for a text', () => [{ channel: 'mail', wait: '20' }]],
    ['waits for no number of seconds', () => [{ channel: 'mail', wait: Number.NaN }]],
    ['waits too long', () => [{ channel: 'mail', wait: 3_601 }]],
    ['never settles', () => new Promise(() => {})],
  ])('tries all channels in their order where the server’s chain %s, and tells', async (_what, chain) => {
    const [app, mail] = [new Inbox('app'), new Inbox('mail')];
    const server = make({ ciba: { channels: [app, mail], chain: chain as never } });
    const handle = handleOf(server, await asked(server));
    await until('the first was sent', () => app.sent.length === 1);
    expect(heard(server, 'prompt.error')).toEqual([{ handle, cause: expect.any(Error) }]);
    expect(mail.sent).toHaveLength(0);
  });

  it('tries a channel once that a step names twice', async () => {
    const app = new Inbox('app');
    const server = make({ ciba: { channels: [app], chain: () => [{ channel: ['app', 'app'] }] } });
    await asked(server);
    await until('it is told', () => server.heard.includes('prompt.sent'));
    expect(app.sent).toHaveLength(1);
  });

  it('reminds a person by a channel that was tried before', async () => {
    const [app, mail] = [new Inbox('app'), new Inbox('mail')];
    const chain = (): ChainStep[] => [
      { channel: 'app', wait: 10 },
      { channel: 'mail', wait: 10 },
      { channel: 'app' },
    ];
    const server = make({ ciba: { channels: [app, mail], chain } });
    const authReqId = await asked(server);
    await until('it was sent', () => heard(server, 'prompt.sent').length === 1);
    server.advance(10);
    await until('the next was sent', () => heard(server, 'prompt.sent').length === 2);
    server.advance(10);
    await until('it was sent again', () => heard(server, 'prompt.sent').length === 3);
    expect([app.sent.length, mail.sent.length]).toEqual([2, 1]);
    await server.approve(authReqId);
    await until('both are taken away', () => app.dismissed.length > 0 && mail.dismissed.length > 0);
  });

  it('tells what could not be taken away as that, and not as a person who was not reached', async () => {
    const stuck = new Inbox('app');
    stuck.dismiss = async () => {
      throw new ChannelError('gone', 'the device has gone');
    };
    const letter = { name: 'letter', send: async () => {} };
    const server = make({
      ciba: { channels: [stuck, letter], chain: () => [{ channel: ['app', 'letter'] }] },
    });
    const authReqId = await asked(server);
    const handle = handleOf(server, authReqId);
    await until('both were sent', () => heard(server, 'prompt.sent').length === 2);
    await server.deny(authReqId);
    await until('it is told', () => server.heard.includes('prompt.left'));
    expect(heard(server, 'prompt.left')).toMatchObject([
      { handle, channel: 'app', attempts: 1, reason: 'gone', again: false },
    ]);
    expect(server.heard).not.toContain('prompt.failed');
    expect(server.heard).not.toContain('prompt.dismissed');
    const { channels = [] } = (await server.ciba.prompts.get(handle)) ?? {};
    expect(channels.map(({ channel, state }) => [channel, state])).toEqual([
      ['app', 'left'],
      ['letter', 'left'],
    ]);
  });

  it('shows how far it has come', async () => {
    const channels = [
      new Inbox('app', [new ChannelError('gone', 'gone')]),
      new Inbox('mail'),
      new Inbox('text'),
    ];
    const server = make({ ciba: { channels } });
    const authReqId = await asked(server);
    const handle = handleOf(server, authReqId);
    await until('it is told', () => server.heard.includes('prompt.sent'));
    const leg = { attempts: 1, last: undefined, nextAttemptAt: undefined };
    expect(await server.ciba.prompts.get(handle)).toEqual({
      handle,
      clientId: 'till',
      accountId: 'alice',
      channels: [
        { ...leg, channel: 'app', step: 1, state: 'failed', last: 'gone' },
        { ...leg, channel: 'mail', step: 2, state: 'sent' },
        { ...leg, channel: 'text', step: 3, state: 'waiting', attempts: 0 },
      ],
    });
    await server.deny(authReqId);
    await until(
      'it was taken away',
      async () => (await server.ciba.prompts.get(handle))?.channels[1]?.state === 'dismissed',
    );
  });

  it('shows nothing of a request whose person is not prompted', async () => {
    const server = make();
    expect(await server.ciba.prompts.get(handleOf(server, await asked(server)))).toBeUndefined();
  });

  it('[PRIV-5] makes what could steer a screen visible', async () => {
    const app = new Inbox('app');
    const server = make({
      ciba: { channels: [app] },
      config: {
        clients: [
          {
            client_id: 'till',
            client_secret: 'till-secret',
            client_name: `Bank\u202Eknab\r\n\u200B${'x'.repeat(10_000)}`,
            grant_types: ['urn:openid:params:grant-type:ciba'],
            backchannel_token_delivery_mode: 'poll',
            redirect_uris: [],
            response_types: [],
          },
        ],
      },
    });
    await asked(server);
    await until('it was sent', () => app.sent.length === 1);
    const { clientName = '' } = app.sent[0] ?? {};
    expect(clientName).toMatch(/^Bank‹U\+202E›knab‹U\+000D›‹U\+000A›‹U\+200B›x+…$/);
    expect([...clientName]).toHaveLength(100);
  });

  it('ends what the channels opened when it is closed', async () => {
    const app = new Inbox('app');
    const server = make({ ciba: { channels: [app] } });
    await asked(server);
    await until('it is told', () => server.heard.includes('prompt.sent'));
    await server.ciba.close();
    expect(app.closed).toBe(1);
  });

  it('closes the rest where a channel cannot be closed', async () => {
    const [broken, app] = [new Inbox('broken'), new Inbox('app')];
    broken.close = () => {
      throw new Error('it is stuck');
    };
    const server = make({ ciba: { channels: [broken, app] } });
    await asked(server);
    await server.ciba.close();
    expect(app.closed).toBe(1);
  });
});
