import type { PushSubscription, RequestDetails } from 'web-push';
import { invalidOption } from '../errors.js';
import { optionalPackage } from '../optional-package.js';
import type { OutgoingOptions } from '../settings/delivery.js';
import { type Channel, ChannelError, type Prompt } from './channel.js';
import { Poster } from './poster.js';
import { askedBy } from './words.js';

/** A browser's subscription, as `PushSubscription.toJSON()` gives it (Push API). */
export interface Subscription {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
}

/** The options of {@link webPush}. */
export interface WebPushOptions extends OutgoingOptions {
  /** Who sends, so that a push service knows (RFC 8292): a `mailto:` or `https:` URL, and the keys, base64url. */
  readonly vapid: { readonly subject: string; readonly publicKey: string; readonly privateKey: string };
  /** The subscriptions of the person's browsers: all are told at once. */
  readonly subscriptions: (accountId: string) => Promise<readonly Subscription[]> | readonly Subscription[];
  /** Called with a subscription that works no more, to be forgotten. Default: nothing is done. */
  readonly gone?: ((accountId: string, subscription: Subscription) => Promise<unknown> | unknown) | undefined;
  /** The name in the chain. Default `web-push`. */
  readonly name?: string | undefined;
  /** What the notification says. Default: who asks; nothing of what is asked for, which a lock screen would show (CIBA Core 15). */
  readonly text?: ((prompt: Prompt) => { readonly title: string; readonly body: string }) | undefined;
}

type WebPush = typeof import('web-push');

/** A message is one record of 4096 bytes at most (RFC 8291 4); each of its two texts has so many of them, as JSON writes it. */
const LONGEST_TEXT = 1_000;

/** How long a browser that is away is told later that a prompt is gone, in seconds. */
const DISMISSED_FOR = 3_600;

/**
 * Reaches people in their browsers, by the Push API. The service worker gets JSON, encrypted (RFC 8291):
 * `{ "type": "prompt", "handle", "title", "body", "link", "expiresAt" }`, and once the request has ended
 * `{ "type": "dismiss", "handle" }`. A message that was not fetched yet is replaced by the next one about the same request (RFC 8030 5.4).
 *
 * Needs the package `web-push`, which encrypts; the message is sent by the package's own guarded client, because a subscription's endpoint
 * comes from a browser.
 * @throws {CibaError} `invalid_option`, naming what is wrong
 */
export function webPush(options: WebPushOptions): Channel {
  const { vapid, subscriptions, gone, name = 'web-push', text = defaultText } = options;
  if (typeof subscriptions !== 'function') throw invalidOption('webPush.subscriptions', 'must be a function');
  const library = optionalPackage<WebPush>(
    'web-push',
    'channels',
    'has webPush, which needs the package web-push: install it',
  );
  const poster = new Poster(name, options, [404, 410]);
  checkVapid(library, vapid);

  const tell = async (
    prompt: Prompt,
    message: object,
    lifetime: number,
    signal: AbortSignal,
  ): Promise<void> => {
    const devices = await subscriptions(prompt.accountId);
    if (devices.length === 0) throw new ChannelError('no_address', `${name}: the person has no subscription`);
    const payload = JSON.stringify(message);
    const told = await Promise.allSettled(
      devices.map(async (device) => {
        const { endpoint, headers, body } = sealed(library, vapid, device, payload, {
          topic: prompt.handle,
          lifetime,
        });
        await poster.post({ url: endpoint, headers, body, signal });
      }),
    );
    const failures = told.flatMap((each, index) => {
      if (each.status === 'fulfilled') return [];
      const error = each.reason instanceof ChannelError ? each.reason : undefined;
      if (error?.reason === 'gone') forget(gone, prompt.accountId, devices[index] as Subscription);
      return [each.reason];
    });
    if (failures.length === devices.length) throw worstOf(failures, name);
  };

  return {
    name,
    send: (prompt, signal) => {
      const { title, body } = text(prompt);
      const { handle, link, expiresAt } = prompt;
      const shown = { title: cut(title), body: cut(body) };
      return tell(prompt, { type: 'prompt', handle, ...shown, link, expiresAt }, prompt.expiresIn, signal);
    },
    dismiss: (prompt, signal) =>
      tell(prompt, { type: 'dismiss', handle: prompt.handle }, DISMISSED_FOR, signal),
    close: () => poster.close(),
  };
}

const defaultText = (prompt: Prompt): { title: string; body: string } => ({
  title: askedBy(prompt),
  body: 'Open it to see what for. Deny what you did not start.',
});

function checkVapid(library: WebPush, vapid: WebPushOptions['vapid']): void {
  try {
    library.getVapidHeaders(
      'https://push.example',
      vapid.subject,
      vapid.publicKey,
      vapid.privateKey,
      'aes128gcm',
    );
  } catch (cause) {
    throw invalidOption(
      'webPush.vapid',
      `must have a subject and a pair of keys: ${(cause as Error).message}`,
    );
  }
}

type Sealed = Pick<RequestDetails, 'endpoint'> & { headers: Record<string, string>; body: Uint8Array };

/** @throws {ChannelError} `gone` where the subscription is none that can be encrypted for */
function sealed(
  library: WebPush,
  vapid: WebPushOptions['vapid'],
  device: Subscription,
  payload: string,
  { topic, lifetime }: { readonly topic: string; readonly lifetime: number },
): Sealed {
  try {
    const details = library.generateRequestDetails(device as PushSubscription, payload, {
      vapidDetails: { ...vapid },
      contentEncoding: 'aes128gcm',
      TTL: Math.max(1, lifetime),
      urgency: 'high',
      topic,
    });
    const headers = Object.entries(details.headers).map(([header, value]) => [
      header.toLowerCase(),
      String(value),
    ]);
    return { endpoint: details.endpoint, headers: Object.fromEntries(headers), body: details.body as Buffer };
  } catch (cause) {
    // Whatever else failed is no reason for the server to forget a device.
    const reason = isUsable(device, cause) ? 'unavailable' : 'gone';
    throw new ChannelError(reason, 'the message could not be encrypted for the subscription', { cause });
  }
}

/** Whether a subscription is one that can be encrypted for (RFC 8291 3.1, 3.2). */
function isUsable({ endpoint, keys }: Subscription, cause: unknown): boolean {
  const lengthOf = (text: unknown): number => Buffer.from(String(text), 'base64url').length;
  return (
    URL.canParse(endpoint) &&
    lengthOf(keys?.p256dh) === 65 &&
    lengthOf(keys?.auth) === 16 &&
    (cause as { code?: unknown }).code !== 'ERR_CRYPTO_ECDH_INVALID_PUBLIC_KEY'
  );
}

/** As much of a text as there is room for, in whole characters. */
function cut(text: string): string {
  let shown = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(JSON.stringify(character)) - 2;
    if (bytes > LONGEST_TEXT) return shown;
    shown += character;
  }
  return shown;
}

function forget(gone: WebPushOptions['gone'], accountId: string, device: Subscription): void {
  // The server's own bookkeeping: what fails there is tried again with the next prompt.
  Promise.resolve()
    .then(() => gone?.(accountId, device))
    .catch(() => {});
}

/** Where no device took it: what can still change goes before what cannot. */
function worstOf(failures: readonly unknown[], name: string): unknown {
  const open = failures.find((error) => !(error instanceof ChannelError) || error.reason === 'unavailable');
  if (open !== undefined) return open;
  const refused = failures.find((error) => (error as ChannelError).reason === 'refused');
  return refused ?? new ChannelError('gone', `${name}: none of the subscriptions works any more`);
}
