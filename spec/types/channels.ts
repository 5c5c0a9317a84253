// The subpaths, and a channel of the server's own.
import { createTransport } from 'nodemailer';
import { type Channel, ChannelError, type ChannelFailure, createCiba, type Prompt } from 'oidc-provider-ciba';
import { defaultMail, type EmailOptions, email, type Mail } from 'oidc-provider-ciba/channels/email';
import {
  type HttpGatewayOptions,
  httpGateway,
  type SmsGateway,
  type SmsOptions,
  sms,
  type TwilioOptions,
  twilio,
} from 'oidc-provider-ciba/channels/sms';
import { type Subscription, type WebPushOptions, webPush } from 'oidc-provider-ciba/channels/web-push';
import { type WebhookOptions, webhook } from 'oidc-provider-ciba/channels/webhook';
import type { Equal, Expect } from './equal.js';

const guard = {
  allowedAddresses: ['10.1.0.0/16'],
  allowedPorts: [8443],
  allowLoopback: false,
  ca: 'pem',
} as const;

const mail: Required<Mail> = { subject: 's', text: 't', html: '<p>h</p>' };
const emailOptions: Required<EmailOptions> = {
  transport: createTransport({ host: 'smtp.op.example' }),
  from: 'Sign-in <sign-in@op.example>',
  to: async ({ accountId }) => (accountId === 'alice' ? 'alice@op.example' : undefined),
  name: 'mail',
  mail: (prompt) => ({ ...mail, text: defaultMail(prompt).text }),
};
const gateway: Required<SmsGateway> = {
  send: async (to, text, signal) => void [to, text, signal.aborted],
  close: () => {},
};
const httpOptions: Required<HttpGatewayOptions> = {
  ...guard,
  url: 'https://sms.example',
  headers: { authorization: 'Bearer token' },
  body: (to, text) => ({ to, text }),
};
const twilioOptions: Required<TwilioOptions> = {
  ...guard,
  accountSid: 'AC',
  authToken: 'token',
  from: '+15005550006',
  baseUrl: 'https://api.example',
};
const smsOptions: Required<SmsOptions> = {
  gateway: httpGateway(httpOptions),
  to: ({ accountId }) => (accountId === 'alice' ? '+4917612345678' : undefined),
  name: 'text',
  text: ({ clientName, link }) => `${clientName}: ${link ?? ''}`,
};
const subscription: Subscription = {
  endpoint: 'https://push.example',
  keys: { p256dh: 'key', auth: 'auth' },
};
const pushOptions: Required<WebPushOptions> = {
  ...guard,
  vapid: { subject: 'mailto:operator@op.example', publicKey: 'public', privateKey: 'private' },
  subscriptions: async (accountId) => (accountId === 'alice' ? [subscription] : []),
  gone: (accountId, { endpoint }) => [accountId, endpoint],
  name: 'push',
  text: ({ clientName, expiresIn }) => ({ title: clientName, body: expiresIn.toFixed() }),
};
const hookOptions: Required<WebhookOptions> = {
  ...guard,
  url: 'https://prompts.example',
  secret: ['whsec_one', 'whsec_two'],
  name: 'hook',
};
const desk: Channel = {
  name: 'desk',
  async send({ handle, link }: Prompt, signal) {
    if (signal.aborted || link === undefined)
      throw new ChannelError('gone', handle, { cause: signal.reason });
  },
  dismiss: async ({ handle }) => void handle,
  close: () => {},
};

createCiba({
  channels: [
    email(emailOptions),
    email({ transport: 'smtps://smtp.op.example', from: 'a@op.example', to: () => undefined }),
    sms(smsOptions),
    sms({ gateway: twilio(twilioOptions), to: () => undefined }),
    sms({ gateway, to: () => undefined }),
    webPush(pushOptions),
    webhook(hookOptions),
    desk,
  ],
});

export type Checks = [
  Expect<Equal<ChannelFailure, 'no_address' | 'gone' | 'refused' | 'unavailable'>>,
  Expect<Equal<ChannelError['reason'], ChannelFailure>>,
  Expect<Equal<ReturnType<typeof email | typeof sms | typeof webPush | typeof webhook>, Channel>>,
  // What a person is told has no secret in it.
  Expect<Equal<Extract<keyof Prompt, 'authReqId' | 'auth_req_id' | 'number' | 'userCode'>, never>>,
];

// @ts-expect-error a mail comes from somebody
email({ transport: 'smtp://smtp.op.example', to: () => undefined });
// @ts-expect-error a mail has a text
email({ ...emailOptions, mail: () => ({ subject: 's' }) });
// @ts-expect-error a number is a text
sms({ gateway, to: () => 4_917_612_345_678 });
// @ts-expect-error a gateway goes somewhere
httpGateway({ headers: {} });
// @ts-expect-error Twilio wants to know who sends
twilio({ accountSid: 'AC', authToken: 'token' });
// @ts-expect-error browsers are told under VAPID keys (RFC 8292)
webPush({ subscriptions: () => [] });
// @ts-expect-error a webhook is signed
webhook({ url: 'https://prompts.example' });
// @ts-expect-error how often is tried is the chain's affair
webhook({ ...hookOptions, attempts: 3 });
// @ts-expect-error there is no such failure
new ChannelError('timeout', 'too late');
// @ts-expect-error a channel of the server's own sends
export const silent: Channel = { name: 'silent' };
