import { createTransport } from 'nodemailer';
import type { CibaOptions } from 'oidc-provider-ciba';
import { email } from 'oidc-provider-ciba/channels/email';
import { webPush } from 'oidc-provider-ciba/channels/web-push';
import { personById } from './accounts.js';
import type { ServerKeys } from './keys.js';
import type { Mailbox } from './mailbox.js';
import type { Settings } from './settings.js';
import type { Subscriptions } from './subscriptions.js';

/** How long the phone has before a mail is sent as well, in seconds. */
const PHONE_FIRST = 5;

/** What people are reached with. */
export interface ReachingParts {
  readonly subscriptions: Subscriptions;
  readonly vapid: ServerKeys['vapid'];
  /** Where mail goes; without it none is sent. */
  readonly mailbox: Mailbox | undefined;
  readonly settings: Settings;
}

/** How people are reached: on all their devices at once, and by mail where that does not help in time, or cannot. */
export function reaching(parts: ReachingParts): Pick<CibaOptions, 'channels' | 'chain'> {
  const { subscriptions, vapid, mailbox, settings } = parts;
  const phone = webPush({
    vapid: { ...vapid, subject: 'mailto:operator@example.com' },
    subscriptions: (accountId) => subscriptions.of(accountId),
    gone: (accountId, { endpoint }) => subscriptions.remove(accountId, endpoint),
    allowLoopback: settings.localPushService,
  });
  if (!mailbox) return { channels: [phone] };
  const mail = email({
    transport: createTransport(mailbox.transport),
    from: 'CIBA example <server@example.com>',
    to: ({ accountId }) => personById(accountId)?.email,
  });
  return {
    channels: [phone, mail],
    chain: () => [{ channel: phone.name, wait: PHONE_FIRST }, { channel: mail.name }],
  };
}
