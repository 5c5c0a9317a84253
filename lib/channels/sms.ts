import { invalidOption } from '../errors.js';
import type { OutgoingOptions } from '../settings/delivery.js';
import { type Channel, ChannelError, type Prompt } from './channel.js';
import { Poster } from './poster.js';
import { askedBy } from './words.js';

/** Who carries text messages: {@link httpGateway}, {@link twilio}, or one of the server's own. */
export interface SmsGateway {
  /**
   * Sends a text to a number in E.164 form (`+4917612345678`).
   * @throws {ChannelError} saying whether another try can help; any other error counts as `unavailable`
   */
  send(to: string, text: string, signal: AbortSignal): Promise<void>;
  /** Ends what the gateway opened. */
  close?(): void;
}

/** The options of {@link sms}. */
export interface SmsOptions {
  readonly gateway: SmsGateway;
  /** The person's number in E.164 form, or nothing where they have none. */
  readonly to: (prompt: Prompt) => Promise<string | undefined> | string | undefined;
  /** The name in the chain. Default `sms`. */
  readonly name?: string | undefined;
  /** The text. Default: who asks, and the link; nothing of what is asked for, which a lock screen would show. */
  readonly text?: ((prompt: Prompt) => string) | undefined;
}

/**
 * Reaches people by text message. A text cannot be taken back; its link says that the request is over.
 *
 * A text message is not a strong means: numbers are ported and texts are read by others. It carries a link and no code, and what decides is who
 * signs in on the page.
 */
export function sms({ gateway, to, name = 'sms', text = defaultText }: SmsOptions): Channel {
  if (typeof gateway?.send !== 'function') throw invalidOption('sms.gateway', 'must have a function send');
  if (typeof to !== 'function') throw invalidOption('sms.to', 'must be a function');
  return {
    name,
    async send(prompt, signal) {
      const number = await to(prompt);
      if (number === undefined || !/^\+[1-9]\d{6,14}$/.test(number)) {
        throw new ChannelError('no_address', `${name}: the person has no number in E.164 form`);
      }
      await gateway.send(number, text(prompt), signal);
    },
    close: () => gateway.close?.(),
  };
}

const defaultText = (prompt: Prompt): string =>
  prompt.link === undefined ? askedBy(prompt) : `${askedBy(prompt)}: ${prompt.link}`;

/** The options of {@link httpGateway}. */
export interface HttpGatewayOptions extends OutgoingOptions {
  /** Where to post, https. */
  readonly url: string;
  /** Headers to send, such as `authorization`, by their names in lower case. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What is posted as JSON. Default `{ to, text }`. */
  readonly body?: ((to: string, text: string) => object) | undefined;
}

/** A gateway that takes a JSON message over HTTP. An answer of 2xx means that it was taken. */
export function httpGateway(options: HttpGatewayOptions): SmsGateway {
  const { url, headers, body = (to: string, text: string) => ({ to, text }) } = options;
  const poster = new Poster('httpGateway', options, []);
  poster.check('url', url);
  return {
    send: (to, text, signal) => poster.post({ url, headers, body: JSON.stringify(body(to, text)), signal }),
    close: () => poster.close(),
  };
}

/** The options of {@link twilio}. */
export interface TwilioOptions extends OutgoingOptions {
  readonly accountSid: string;
  readonly authToken: string;
  /** The sender: a number in E.164 form, an alphanumeric sender, or the sid of a messaging service (`MG…`). */
  readonly from: string;
  /** Where the API is. Default `https://api.twilio.com`. */
  readonly baseUrl?: string | undefined;
}

/** A gateway with the interface of Twilio's Messages resource, which others offer too. */
export function twilio(options: TwilioOptions): SmsGateway {
  const { accountSid, authToken, from, baseUrl = 'https://api.twilio.com' } = options;
  for (const [member, value] of Object.entries({ accountSid, authToken, from })) {
    if (typeof value !== 'string' || value === '') throw invalidOption(`twilio.${member}`, 'must be a text');
  }
  const poster = new Poster('twilio', options, []);
  poster.check('baseUrl', baseUrl);
  const url = `${baseUrl.replace(/\/$/, '')}/2010-04-01/Accounts/${encodeURIComponent(accountSid)}/Messages.json`;
  const headers = {
    authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  };
  const sender = from.startsWith('MG') ? 'MessagingServiceSid' : 'From';
  return {
    send: (to, text, signal) => {
      const body = new URLSearchParams({ To: to, [sender]: from, Body: text }).toString();
      return poster.post({ url, headers, body, signal });
    },
    close: () => poster.close(),
  };
}
