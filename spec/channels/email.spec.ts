import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { createTransport } from 'nodemailer';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import { defaultMail, email } from '../../lib/channels/email.js';
import { askerOf, displayable } from '../../lib/request/display.js';
import { startReceiver } from '../support/receiver.js';
import { failureOf, HOSTILE, promptOf, signal } from './given-prompt.js';

/** A mail server, and what came to it. */
interface Mailbox {
  readonly port: number;
  readonly mails: { readonly to: readonly string[]; readonly mail: Email }[];
  close(): Promise<void>;
}

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function mailServer(options: SMTPServerOptions = {}): Promise<Mailbox> {
  const mails: Mailbox['mails'] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      textOf(stream)
        .then((raw) => PostalMime.parse(raw))
        .then((mail) => {
          mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), mail });
          done();
        }, done);
    },
    ...options,
  });
  server.on('error', () => {});
  const listener = server.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const box = {
    port: (listener.address() as AddressInfo).port,
    mails,
    close: () => new Promise<void>((resolve) => server.close(resolve)),
  };
  open.push(box);
  return box;
}

function channelTo(port: number, to: string | undefined = 'alice@example.com', transport: object = {}) {
  const channel = email({
    transport: { host: '127.0.0.1', port, secure: false, ignoreTLS: true, ...transport } as never,
    from: 'Sign-in <sign-in@op.example>',
    to: () => to,
  });
  open.push({ close: () => channel.close?.() });
  return channel;
}

/** Takes a mail to its last line and closes the connection then. Returns its port. */
async function hangingUp(sockets: Socket[]): Promise<number> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.write('220 here\r\n');
    socket.on('error', () => {});
    let mail: string | undefined;
    socket.on('data', (data) => {
      if (mail !== undefined) mail += data;
      if (mail?.endsWith('\r\n.\r\n')) socket.destroy();
      if (mail !== undefined) return;
      if (String(data) === 'DATA\r\n') mail = '';
      socket.write(mail === '' ? '354 go on\r\n' : '250 ok\r\n');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  open.push({ close: () => void server.close() });
  return (server.address() as AddressInfo).port;
}

describe('a mail', () => {
  it('[UX-2] [SEC-2] says who asks, the binding message, the time left, and has the link', async () => {
    const box = await mailServer();
    const prompt = promptOf();
    await channelTo(box.port).send(prompt, signal);
    const [{ to, mail }] = box.mails as [Mailbox['mails'][number]];
    expect(to).toEqual(['alice@example.com']);
    expect(mail).toMatchObject({
      subject: 'Corner shop till asks for your approval',
      from: { address: 'sign-in@op.example', name: 'Sign-in' },
    });
    expect(mail.headers.find(({ key }) => key === 'auto-submitted')?.value).toBe('auto-generated');
    for (const part of [mail.text, mail.html]) {
      for (const said of [
        'Corner shop till',
        'Pay 12.50 EUR, code 4F7K',
        '4 minutes',
        'did not start',
        prompt.link,
      ]) {
        expect(part).toContain(said);
      }
    }
  });

  it('can be the server’s own, over a transport of its own', async () => {
    const box = await mailServer();
    const transport = createTransport({ host: '127.0.0.1', port: box.port, ignoreTLS: true });
    const channel = email({
      transport,
      from: 'op@op.example',
      to: ({ accountId }) => `${accountId}@example.com`,
      mail: ({ clientName }) => ({ subject: `${clientName} fragt`, text: 'Bitte ansehen' }),
    });
    await channel.send(promptOf(), signal);
    channel.close?.();
    expect(box.mails[0]?.mail).toMatchObject({ subject: 'Corner shop till fragt', text: 'Bitte ansehen\n' });
    expect(box.mails[0]?.mail.html).toBeUndefined();
  });

  it.each(HOSTILE)('shows %j inert, and goes to nobody else', async (hostile) => {
    const box = await mailServer();
    const clientName = askerOf({ clientName: hostile, clientId: 'till' });
    const bindingMessage = displayable(hostile);
    await channelTo(box.port).send(promptOf({ clientName, bindingMessage }), signal);
    const [{ to, mail }] = box.mails as [Mailbox['mails'][number]];
    expect(to).toEqual(['alice@example.com']);
    expect(mail.bcc).toBeUndefined();
    expect(mail.subject).toBe(`${clientName} asks for your approval`);
    expect(mail.text).toContain(bindingMessage);
    expect(mail.html).not.toMatch(/<(script|img|svg|b)\b/i);
    // Each of its own elements, and none besides.
    expect(mail.html?.match(/<[a-z]+/gi)?.length).toBe(promptMailElements);
  });

  // What a channel of the server's own hands on untouched does no more harm.
  it.each(HOSTILE)(
    'keeps its headers to itself where the text is as the client sent it: %j',
    async (hostile) => {
      const box = await mailServer();
      await channelTo(box.port).send(promptOf({ clientName: hostile.slice(0, 500) }), signal);
      const [{ to, mail }] = box.mails as [Mailbox['mails'][number]];
      expect({
        to,
        bcc: mail.bcc,
        subjects: mail.headers.filter(({ key }) => key === 'subject').length,
      }).toEqual({
        to: ['alice@example.com'],
        bcc: undefined,
        subjects: 1,
      });
    },
  );

  it('has the same id when it is sent again, of the sender’s domain, and another one for another request', async () => {
    const box = await mailServer();
    const channel = channelTo(box.port);
    await channel.send(promptOf(), signal);
    await channel.send(promptOf({ expiresIn: 200 }), signal);
    await channel.send(promptOf({ handle: 'another-request' }), signal);
    const [first, again, other] = box.mails.map(({ mail }) => mail.messageId);
    expect(first).toMatch(/^<[0-9a-f]{32}@op\.example>$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  it('cannot be sent to a second one through the address', async () => {
    const box = await mailServer();
    const failure = await failureOf(
      channelTo(box.port, 'alice@example.com, mallory@example.com\r\nBcc: eve@example.com').send(
        promptOf(),
        signal,
      ),
    ).catch(() => 'refused');
    expect(box.mails.flatMap(({ to }) => to).filter((to) => /^(mallory|eve)@/.test(to))).toEqual([]);
    expect(failure).not.toBe('gone');
  });
});

const promptMailElements = String(defaultMail(promptOf()).html).match(/<[a-z]+/gi)?.length;

describe('a mail server', () => {
  const refusing = (code: number, message: string): SMTPServerOptions => ({
    onRcptTo: (_address, _session, done) => done(Object.assign(new Error(message), { responseCode: code })),
  });

  it.each([
    ['does not know the address', refusing(550, '5.1.1 no such user'), 'gone'],
    ['will not take it', refusing(554, '5.7.1 rejected'), 'refused'],
    ['is busy', refusing(451, '4.3.0 try later'), 'unavailable'],
    ['has a full mailbox', refusing(452, '4.2.2 mailbox full'), 'unavailable'],
  ])('that %s', async (_, options, failure) => {
    const box = await mailServer(options);
    expect(await failureOf(channelTo(box.port).send(promptOf(), signal))).toBe(failure);
    expect(box.mails).toHaveLength(0);
  });

  it('that is down makes the channel unavailable', async () => {
    const box = await mailServer();
    await box.close();
    open.splice(0, 1);
    expect(await failureOf(channelTo(box.port).send(promptOf(), signal))).toBe('unavailable');
  });

  it.each(['silence', 'reset'] as const)(
    'that greets with %s makes the channel unavailable',
    async (greeting) => {
      const server = await startReceiver({ greeting });
      open.push(server);
      const channel = channelTo(server.port, 'alice@example.com', { greetingTimeout: 200 });
      expect(await failureOf(channel.send(promptOf(), signal))).toBe('unavailable');
    },
  );

  describe('that may have the mail, and does not say so, is not sent it again', () => {
    /** Hears the whole mail, and does what it is told instead of an answer. */
    const withTheMail = (act: (session: SMTPServerSession) => void): SMTPServerOptions => ({
      onData: (stream, session) =>
        void textOf(stream).then(
          () => act(session),
          () => {},
        ),
    });

    it.each([
      ['a connection for each mail', {}],
      ['connections that are kept', { pool: true }],
    ])('where it is silent: %s', async (_, transport) => {
      let got = 0;
      const box = await mailServer(
        withTheMail(() => {
          got += 1;
        }),
      );
      const channel = channelTo(box.port, 'alice@example.com', { ...transport, socketTimeout: 200 });
      expect(await failureOf(channel.send(promptOf(), signal))).toBe('refused');
      expect(got).toBe(1);
    });

    it('where it hangs up', async () => {
      const sockets: Socket[] = [];
      const server = await hangingUp(sockets);
      expect(await failureOf(channelTo(server).send(promptOf(), signal))).toBe('refused');
      expect(sockets).toHaveLength(1);
    });

    it('where it is given up, and the connection is closed', async () => {
      const over = new AbortController();
      let closed: () => void = () => {};
      const closing = new Promise<void>((resolve) => {
        closed = resolve;
      });
      const box = await mailServer({ ...withTheMail(() => over.abort()), onClose: () => closed() });
      expect(await failureOf(channelTo(box.port).send(promptOf(), over.signal))).toBe('refused');
      await closing;
    });
  });

  it('that is silent before it has the mail makes the channel unavailable', async () => {
    const box = await mailServer({ onRcptTo: () => {} });
    const channel = channelTo(box.port, 'alice@example.com', { socketTimeout: 200 });
    expect(await failureOf(channel.send(promptOf(), signal))).toBe('unavailable');
  });

  it('of a transport of the server’s own is not sent a mail twice either', async () => {
    let got = 0;
    const box = await mailServer({
      onData: (stream) =>
        void textOf(stream).then(() => {
          got += 1;
        }),
    });
    const transport = createTransport({
      host: '127.0.0.1',
      port: box.port,
      ignoreTLS: true,
      socketTimeout: 200,
    });
    for (const name of ['one', 'two']) {
      const channel = email({ transport, name, from: 'op@op.example', to: () => 'alice@example.com' });
      expect(await failureOf(channel.send(promptOf(), signal))).toBe('refused');
    }
    transport.close();
    expect(got).toBe(2);
  });

  it('that does not take the credentials makes the channel unavailable: it is the server’s to mend', async () => {
    const box = await mailServer({
      onAuth: (_auth, _session, done) => done(Object.assign(new Error('5.7.8 no'), { responseCode: 535 })),
    });
    const channel = channelTo(box.port, 'alice@example.com', { auth: { user: 'op', pass: 'wrong' } });
    expect(await failureOf(channel.send(promptOf(), signal))).toBe('unavailable');
  });

  it.each([undefined, ''])('is not asked where the person has no address: %p', async (to) => {
    const box = await mailServer();
    const channel = email({
      transport: { host: '127.0.0.1', port: box.port } as never,
      from: 'a@b.example',
      to: () => to,
    });
    expect(await failureOf(channel.send(promptOf(), signal))).toBe('no_address');
    channel.close?.();
  });
});

it.each([
  [{ from: '' }, 'email.from must be an address'],
  [{ to: 'alice@example.com' }, 'email.to must be a function'],
  [
    { transport: 'not a url' },
    'email.transport must be a transport of nodemailer, its options or an smtp URL',
  ],
])('wrong options stop the start: %p', (wrong, message) => {
  const options = {
    transport: 'smtp://localhost',
    from: 'op@op.example',
    to: () => 'alice@example.com',
    ...wrong,
  };
  expect(() => email(options as never)).toThrow(message);
});
