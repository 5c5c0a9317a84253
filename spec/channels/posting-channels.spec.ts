import { generateKeyPairSync } from 'node:crypto';
import { compactVerify, importJWK } from 'jose';
import { httpGateway, sms, twilio } from 'oidc-provider-ciba/channels/sms';
import { type Subscription, webPush } from 'oidc-provider-ciba/channels/web-push';
import { webhook } from 'oidc-provider-ciba/channels/webhook';
import { Webhook } from 'standardwebhooks';
import webpush from 'web-push';
import { makeAuthority } from '../../example-app/fapi/certificates.js';
import { type PushService, startPushService } from '../example/push-service.js';
import { hang, type Receiver, reset, startReceiver, status } from '../support/receiver.js';
import { failureOf, HOSTILE, promptOf, signal } from './given-prompt.js';

const near = { allowLoopback: true };
const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});
async function receiver(): Promise<Receiver> {
  const made = await startReceiver();
  open.push(made);
  return made;
}
const closing = <T extends { close?(): Promise<void> | void }>(channel: T): T => {
  open.push({ close: () => channel.close?.() });
  return channel;
};

/** Where a message must never go: addresses that are not public, and names of them. */
const PRIVATE = [
  'https://127.0.0.1/x',
  'https://[::1]/x',
  'https://10.0.0.1/x',
  'https://169.254.169.254/latest/meta-data',
  'https://192.168.1.1/x',
  'https://localhost/x',
  'https://[fd00::1]/x',
  'http://93.184.216.34/x',
  'https://93.184.216.34:22/x',
  'https://user:pass@93.184.216.34/x',
  'file:///etc/passwd',
];

const VAPID = { subject: 'mailto:ops@op.example', ...webpush.generateVAPIDKeys() };

describe('web push', () => {
  let service: PushService;
  beforeEach(async () => {
    service = await startPushService();
    open.push(service);
  });
  const channelTo = (...subscriptions: Subscription[]) =>
    closing(webPush({ vapid: VAPID, subscriptions: () => subscriptions, ...near }));

  it('[PRIV-5] tells the browser who asks and where to look, encrypted, and nothing of what for', async () => {
    const prompt = promptOf();
    await channelTo(service.subscription).send(prompt, signal);
    const [{ headers, data }] = service.messages as [PushService['messages'][number]];
    expect(JSON.parse(data)).toEqual({
      type: 'prompt',
      handle: prompt.handle,
      title: 'Corner shop till asks for your approval',
      body: 'Open it to see what for. Deny what you did not start.',
      link: prompt.link,
      expiresAt: prompt.expiresAt.toISOString(),
    });
    expect(headers).toMatchObject({
      'content-encoding': 'aes128gcm',
      ttl: '290',
      urgency: 'high',
      topic: prompt.handle,
    });
  });

  it('is signed for this push service by the server’s key (RFC 8292)', async () => {
    await channelTo(service.subscription).send(promptOf(), signal);
    const [, token = '', key = ''] =
      /^vapid t=([^,]+), ?k=(.+)$/.exec(String(service.messages[0]?.headers.authorization)) ?? [];
    expect(key).toBe(VAPID.publicKey);
    const point = Buffer.from(key, 'base64url');
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    };
    const { payload } = await compactVerify(token, await importJWK(jwk, 'ES256'));
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({
      aud: new URL(service.subscription.endpoint).origin,
      sub: 'mailto:ops@op.example',
      exp: expect.any(Number),
    });
  });

  it('tells all devices at once, and one that took it is enough', async () => {
    const other = await startPushService();
    open.push(other);
    service.answer = 500;
    await channelTo(service.subscription, other.subscription).send(promptOf(), signal);
    expect([service.calls, other.messages.length]).toEqual([1, 1]);
  });

  it.each([404, 410])(
    'forgets a subscription that is gone (%i), and says so where none is left',
    async (answer) => {
      const other = await startPushService();
      open.push(other);
      service.answer = answer;
      const forgotten: string[] = [];
      const channel = (...subscriptions: Subscription[]) =>
        closing(
          webPush({
            vapid: VAPID,
            subscriptions: () => subscriptions,
            gone: (accountId, { endpoint }) => forgotten.push(`${accountId} ${endpoint}`),
            ...near,
          }),
        );
      await channel(service.subscription, other.subscription).send(promptOf(), signal);
      expect(forgotten).toEqual([`alice ${service.subscription.endpoint}`]);
      expect(await failureOf(channel(service.subscription).send(promptOf(), signal))).toBe('gone');
    },
  );

  it.each([
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
    [400, 'refused'],
    [413, 'refused'],
    [302, 'refused'],
  ])('an answer of %i counts as %s', async (answer, failure) => {
    service.answer = answer;
    expect(await failureOf(channelTo(service.subscription).send(promptOf(), signal))).toBe(failure);
  });

  it('says that there is no subscription', async () => {
    expect(await failureOf(channelTo().send(promptOf(), signal))).toBe('no_address');
  });

  it('counts one that cannot be encrypted for as gone', async () => {
    const broken = { endpoint: service.subscription.endpoint, keys: { p256dh: 'AAAA', auth: 'AAAA' } };
    expect(await failureOf(channelTo(broken).send(promptOf(), signal))).toBe('gone');
    expect(service.calls).toBe(0);
  });

  it('takes a prompt back by a message about the same request', async () => {
    await channelTo(service.subscription).dismiss?.(promptOf({ expiresIn: 0 }), signal);
    expect(JSON.parse(String(service.messages[0]?.data))).toEqual({
      type: 'dismiss',
      handle: promptOf().handle,
    });
    expect(service.messages[0]?.headers).toMatchObject({ topic: promptOf().handle, ttl: '3600' });
  });

  it.each(PRIVATE)('[SEC-9] sends nothing to %s, which a browser could name', async (endpoint) => {
    const channel = closing(
      webPush({ vapid: VAPID, subscriptions: () => [{ ...service.subscription, endpoint }] }),
    );
    expect(await failureOf(channel.send(promptOf(), signal))).toMatch(/^(refused|gone)$/);
  });

  it('[SEC-9] opens no connection to this machine unless it is let', async () => {
    const target = await receiver();
    const subscription = { ...service.subscription, endpoint: `https://127.0.0.1:${target.port}/push` };
    const channel = closing(
      webPush({ vapid: VAPID, subscriptions: () => [subscription], allowedPorts: 'any' }),
    );
    expect(await failureOf(channel.send(promptOf(), signal))).toBe('refused');
    expect(target.connections).toBe(0);
  });

  it('needs keys and a subject', () => {
    const make = (vapid: object) => () => webPush({ vapid: vapid as never, subscriptions: () => [] });
    expect(make({ ...VAPID, subject: 'nobody' })).toThrow(/^webPush.vapid must have a subject/);
    expect(make({ ...VAPID, privateKey: 'x' })).toThrow(/^webPush.vapid must have/);
    expect(make({})).toThrow(/^webPush.vapid must have/);
  });

  it('says as much as there is room for, in whole characters', async () => {
    const long = '支付😀'.repeat(500);
    const channel = closing(
      webPush({
        vapid: VAPID,
        subscriptions: () => [service.subscription],
        text: () => ({ title: long, body: long }),
        ...near,
      }),
    );
    await channel.send(promptOf(), signal);
    const { title, body } = JSON.parse(String(service.messages[0]?.data)) as Record<'title' | 'body', string>;
    for (const text of [title, body]) {
      expect(long.startsWith(text)).toBe(true);
      expect(text).not.toMatch(/\p{Cs}/u);
      expect(Buffer.byteLength(text)).toBeGreaterThan(990);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1_000);
    }
  });

  it('leaves room for what JSON writes longer than it is', async () => {
    const text = '\u0007"\\'.repeat(1_000);
    const channel = closing(
      webPush({
        vapid: VAPID,
        subscriptions: () => [service.subscription],
        text: () => ({ title: text, body: text }),
        ...near,
      }),
    );
    await channel.send(promptOf(), signal);
    const { data } = service.messages[0] as PushService['messages'][number];
    expect(Buffer.byteLength(data)).toBeLessThan(3_000);
    expect(text.startsWith(JSON.parse(data).title)).toBe(true);
  });

  const P256 = 'ERR_CRYPTO_ECDH_INVALID_PUBLIC_KEY';
  it.each<[string, (keys: Subscription['keys']) => object, string, number]>([
    [
      `a key that is no point of the curve (${P256})`,
      (keys) => ({ keys: { ...keys, p256dh: OFF_CURVE } }),
      'gone',
      1,
    ],
    ['no keys', () => ({ keys: undefined }), 'gone', 1],
    ['no endpoint', () => ({ endpoint: undefined }), 'gone', 1],
    ['an endpoint that is no URL', () => ({ endpoint: 'push' }), 'gone', 1],
    ['nothing wrong', () => ({}), 'unavailable', 0],
  ])('forgets a device for its own faults alone: %s', async (_, wrong, failure, count) => {
    const forgotten: unknown[] = [];
    const subscription = { ...service.subscription, ...wrong(service.subscription.keys) } as Subscription;
    const channel = closing(
      webPush({
        vapid: VAPID,
        subscriptions: () => [subscription],
        gone: (_id, device) => void forgotten.push(device),
        ...near,
      }),
    );
    // No topic may be called so (RFC 8030 5.4): the message cannot be made for anybody.
    const handle = failure === 'unavailable' ? 'no topic' : promptOf().handle;
    expect(await failureOf(channel.send(promptOf({ handle }), signal))).toBe(failure);
    expect(forgotten).toHaveLength(count);
    expect(service.calls).toBe(0);
  });
});

/** As long as a public key of P-256, and none. */
const OFF_CURVE = Buffer.alloc(65, 4).toString('base64url');

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;

describe('a webhook', () => {
  const channelTo = ({ url }: Pick<Receiver, 'url'>, secret: string | string[] = SECRET) =>
    closing(webhook({ url, secret, ...near }));
  const verified = (target: Receiver, secret: string, at = -1): unknown => {
    const { body, headers } = target.received.at(at) as Receiver['received'][number];
    return new Webhook(secret).verify(body, headers as Record<string, string>);
  };

  it('[UX-2] says all that a system of the server’s needs, signed by the rules', async () => {
    const target = await receiver();
    await channelTo(target).send(promptOf(), signal);
    expect(verified(target, SECRET)).toEqual({
      type: 'ciba.prompt',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      data: {
        handle: 'abcdefghijklmnopqrstuv',
        account_id: 'alice',
        client_id: 'till',
        client_name: 'Corner shop till',
        scope: 'openid profile',
        claims: ['birthdate'],
        binding_message: 'Pay 12.50 EUR, code 4F7K',
        authorization_details: [{ type: 'payment', amount: '12.50' }],
        expires_at: '2030-01-01T12:05:00.000Z',
        expires_in: 290,
        link: promptOf().link,
      },
    });
    expect(() => verified(target, OTHER)).toThrow();
  });

  it('is signed by each of several secrets', async () => {
    const target = await receiver();
    await channelTo(target, [SECRET, OTHER]).send(promptOf(), signal);
    expect(verified(target, SECRET)).toEqual(verified(target, OTHER));
  });

  it('has the same id when it is sent again, and another one when it is taken back', async () => {
    const target = await receiver();
    const channel = channelTo(target);
    await channel.send(promptOf(), signal);
    await channel.send(promptOf(), signal);
    await channel.dismiss?.(promptOf(), signal);
    const ids = target.received.map(({ headers }) => headers['webhook-id']);
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
    expect(verified(target, SECRET)).toMatchObject({
      type: 'ciba.dismiss',
      data: { handle: promptOf().handle },
    });
  });

  it.each(HOSTILE)('carries %j as it is', async (bindingMessage) => {
    const target = await receiver();
    await channelTo(target).send(promptOf({ bindingMessage }), signal);
    expect(verified(target, SECRET)).toMatchObject({ data: { binding_message: bindingMessage } });
  });

  it.each([
    [200, undefined],
    [204, undefined],
    [410, 'gone'],
    [400, 'refused'],
    [401, 'refused'],
    [404, 'refused'],
    [301, 'refused'],
    [307, 'refused'],
    [408, 'unavailable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('an answer of %i counts as %p', async (code, failure) => {
    const target = await receiver();
    target.answer(status(code, { location: 'http://127.0.0.1:1/' }));
    expect(await failureOf(channelTo(target).send(promptOf(), signal))).toBe(failure);
    expect(target.received).toHaveLength(1);
  });

  it('that breaks off counts as unavailable', async () => {
    const target = await receiver();
    target.answer(reset());
    expect(await failureOf(channelTo(target).send(promptOf(), signal))).toBe('unavailable');
  });

  it('that hangs ends when it is aborted', async () => {
    const target = await receiver();
    target.answer(hang());
    const over = new AbortController();
    const failing = failureOf(channelTo(target).send(promptOf(), over.signal));
    setImmediate(() => over.abort());
    expect(await failing).toBe('unavailable');
  });

  it('[SEC-9] wants a certificate that it can trust', async () => {
    const authority = await makeAuthority();
    const target = await startReceiver({ certificate: await authority.issue() });
    open.push(target);
    expect(await failureOf(channelTo(target).send(promptOf(), signal))).toBe('unavailable');
    const trusting = closing(webhook({ url: target.url, secret: SECRET, ca: authority.ca, ...near }));
    expect(await failureOf(trusting.send(promptOf(), signal))).toBeUndefined();
  });

  it.each(PRIVATE)('[SEC-9] is not sent to %s', async (url) => {
    expect(() => webhook({ url, secret: SECRET })).toThrow(/^webhook.url must /);
  });

  it.each(['secret', 'whsec_', 'whsec_c2hvcnQ=', `whsec_${Buffer.alloc(65).toString('base64')}`, []])(
    'needs a secret of the rules: %p',
    (secret) => {
      expect(() => webhook({ url: 'https://op.example', secret })).toThrow(/^webhook.secret must be whsec_/);
    },
  );
});

describe('a text message', () => {
  const sent: [string, string][] = [];
  beforeEach(() => {
    sent.length = 0;
  });
  const gateway = { send: async (to: string, text: string) => void sent.push([to, text]) };

  it('[PRIV-5] says who asks and where to look, and nothing of what for', async () => {
    await sms({ gateway, to: () => '+4917612345678' }).send(promptOf(), signal);
    expect(sent).toEqual([['+4917612345678', `Corner shop till asks for your approval: ${promptOf().link}`]]);
  });

  it('can be the server’s own', async () => {
    const text = ({ clientName }: { clientName: string }) => `${clientName} fragt`;
    await sms({ gateway, to: () => '+4917612345678', text }).send(promptOf({ link: undefined }), signal);
    expect(sent).toEqual([['+4917612345678', 'Corner shop till fragt']]);
  });

  it.each([undefined, '', '017612345678', '+49 176 12345678', '+0123456789', '+4917612345678,+1', '+1'])(
    'goes to no number that is none: %p',
    async (number) => {
      expect(await failureOf(sms({ gateway, to: () => number }).send(promptOf(), signal))).toBe('no_address');
      expect(sent).toEqual([]);
    },
  );

  it('goes through a gateway that takes JSON', async () => {
    const target = await receiver();
    const headers = { authorization: 'Key 123' };
    const own = httpGateway({
      url: target.url,
      headers,
      body: (to, text) => ({ recipient: to, message: text }),
      ...near,
    });
    await closing(sms({ gateway: own, to: () => '+4917612345678' })).send(promptOf(), signal);
    expect(target.received[0]).toMatchObject({ headers: { ...headers, 'content-type': 'application/json' } });
    expect(JSON.parse(String(target.received[0]?.body))).toEqual({
      recipient: '+4917612345678',
      message: expect.stringContaining('asks for your approval'),
    });
  });

  it.each([
    ['+15005550006', 'From'],
    ['MG0123', 'MessagingServiceSid'],
  ])('goes through one with the interface of Twilio, from %s', async (from, member) => {
    const target = await receiver();
    target.answer(status(201, {}, '{"sid":"SM1"}'));
    const { origin } = new URL(target.url);
    const own = twilio({ accountSid: 'AC123', authToken: 'secret', from, baseUrl: origin, ...near });
    await closing(sms({ gateway: own, to: () => '+4917612345678' })).send(promptOf(), signal);
    const [{ path, headers, body }] = target.received as [Receiver['received'][number]];
    expect(path).toBe('/2010-04-01/Accounts/AC123/Messages.json');
    expect(headers.authorization).toBe(`Basic ${Buffer.from('AC123:secret').toString('base64')}`);
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      To: '+4917612345678',
      [member]: from,
      Body: expect.stringContaining(String(promptOf().link)),
    });
  });

  it.each([
    [400, 'refused'],
    [401, 'refused'],
    [410, 'refused'],
    [429, 'unavailable'],
    [503, 'unavailable'],
  ])('that a gateway answers %i counts as %s', async (code, failure) => {
    const target = await receiver();
    target.answer(status(code));
    const own = httpGateway({ url: target.url, ...near });
    expect(
      await failureOf(closing(sms({ gateway: own, to: () => '+4917612345678' })).send(promptOf(), signal)),
    ).toBe(failure);
  });

  it('wants options that make sense', () => {
    expect(() => sms({ gateway: {} as never, to: () => '' })).toThrow(
      'sms.gateway must have a function send',
    );
    expect(() => sms({ gateway, to: '+1' as never })).toThrow('sms.to must be a function');
    expect(() => httpGateway({ url: 'gateway' })).toThrow('httpGateway.url must be an absolute https URL');
    expect(() => httpGateway({ url: 'https://10.0.0.1/sms' })).toThrow(
      'httpGateway.url must be on a public address',
    );
    const account = { accountSid: 'a', authToken: 'b', from: 'MG1' };
    expect(() => twilio({ ...account, baseUrl: 'ftp://api.example' })).toThrow(/^twilio.baseUrl must /);
    expect(() => twilio({ accountSid: '', authToken: 'x', from: 'x' })).toThrow(
      'twilio.accountSid must be a text',
    );
  });
});

it('keys of another curve are none', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const key = publicKey.export({ format: 'jwk' }).x;
  expect(() => webPush({ vapid: { ...VAPID, publicKey: String(key) }, subscriptions: () => [] })).toThrow(
    /^webPush.vapid must have/,
  );
});
