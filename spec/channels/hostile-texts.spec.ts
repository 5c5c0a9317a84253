import webpush from 'web-push';
import { defaultMail } from '../../lib/channels/email.js';
import { promptOf } from '../../lib/channels/prompt.js';
import { sms } from '../../lib/channels/sms.js';
import { webPush } from '../../lib/channels/web-push.js';
import type { RequestView } from '../../lib/request/view.js';
import { type PushService, startPushService } from '../example/push-service.js';
import { EVERY_HOSTILE_TEXT } from '../support/hostile-texts.js';
import { signal } from './given-prompt.js';

/** What breaks a line, steers a screen or is not seen on it. */
const UNSEEN =
  /\p{Cc}|\p{Cs}|\p{Co}|\p{Zl}|\p{Zp}|[\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\u{E0000}-\u{E007F}]/u;

const LINK = 'https://op.example/ciba/decide/handle.seal';
let service: PushService;
const texts: string[] = [];

const phone = sms({
  gateway: {
    send: async (_to, text) => {
      texts.push(text);
    },
  },
  to: () => '+4917612345678',
});

beforeAll(async () => {
  service = await startPushService();
});
afterAll(() => service?.close());

/** A request in which a client says this wherever it can. */
function promptSaying(text: string) {
  const request: Partial<RequestView> = {
    handle: 'abcdefghijklmnopqrstuv',
    clientId: 'till',
    clientName: text,
    accountId: 'alice',
    scope: 'openid',
    authorizationDetails: [{ type: 'payment', payee: text }],
    bindingMessage: text,
    expiresAt: new Date('2030-01-01T12:05:00Z'),
    expiresIn: 290,
  };
  return promptOf(request as RequestView, LINK);
}

describe('[SEC-2] [PRIV-5] what a client says has', () => {
  it.each(EVERY_HOSTILE_TEXT)('no line and no sign of its own in a mail: %s', (_, text) => {
    const prompt = promptSaying(text);
    const { subject, text: plain, html } = defaultMail(prompt);
    expect(subject).not.toMatch(UNSEEN);
    expect(subject).toBe(`${prompt.clientName} asks for your approval`);
    expect(subject.trim()).toBe(subject);
    expect(plain.replaceAll('\n', '')).not.toMatch(UNSEEN);
    expect(String(html).replaceAll('\n', '')).not.toMatch(UNSEEN);
    const harmless = defaultMail(promptSaying('harmless'));
    expect(plain.split('\n')).toHaveLength(harmless.text.split('\n').length);
    expect(tagsOf(html)).toEqual(tagsOf(harmless.html));
  });

  it.each(EVERY_HOSTILE_TEXT)('no line of its own in a text message: %s', async (_, text) => {
    const prompt = promptSaying(text);
    await phone.send(prompt, signal);
    expect(texts.at(-1)).toBe(`${prompt.clientName} asks for your approval: ${LINK}`);
    expect(texts.at(-1)).not.toMatch(UNSEEN);
    expect(texts.at(-1)?.length).toBeLessThan(900);
  });

  it('no line and no member of its own in a notification', async () => {
    const browser = webPush({
      vapid: { subject: 'mailto:ops@op.example', ...webpush.generateVAPIDKeys() },
      subscriptions: () => [service.subscription],
      allowLoopback: true,
    });
    for (const [, text] of EVERY_HOSTILE_TEXT) {
      const prompt = promptSaying(text);
      await browser.send(prompt, signal);
      const said = JSON.parse(String(service.messages.at(-1)?.data)) as Record<string, string>;
      expect(Object.keys(said)).toEqual(['type', 'handle', 'title', 'body', 'link', 'expiresAt']);
      expect(said['title']).toBe(`${prompt.clientName} asks for your approval`);
      expect(said['title']).not.toMatch(UNSEEN);
      expect(said['body']).toBe('Open it to see what for. Deny what you did not start.');
      expect(said['link']).toBe(LINK);
    }
    await browser.close?.();
  });
});

/** The tags of HTML, with their attributes. */
const tagsOf = (html: string | undefined): string[] | undefined => html?.match(/<[^>]*>/g)?.map(String);
