import { createHash } from 'node:crypto';
import type { SendMailOptions, Transporter, TransportOptions } from 'nodemailer';
import type SMTPTransport from 'nodemailer/lib/smtp-transport';
import { DeadlineError, within } from '../deadline.js';
import { invalidOption } from '../errors.js';
import { html, type Markup } from '../html.js';
import { optionalPackage } from '../optional-package.js';
import { type Channel, ChannelError, type Prompt } from './channel.js';
import { newMailing, watchMailings } from './mailing.js';
import { askedBy, timeLeft } from './words.js';

/** A mail's three parts. */
export interface Mail {
  readonly subject: string;
  readonly text: string;
  /** Left out: the mail is plain text. */
  readonly html?: string | undefined;
}

/** The options of {@link email}. */
export interface EmailOptions {
  /** A transport of nodemailer's, which stays open, or what its `createTransport` takes: an smtp URL or its options. */
  readonly transport: Transporter | SMTPTransport.Options | TransportOptions | string;
  /** The sender, such as `Sign-in <sign-in@op.example>`. */
  readonly from: string;
  /** The person's address, or nothing where they have none. */
  readonly to: (prompt: Prompt) => Promise<string | undefined> | string | undefined;
  /** The name in the chain. Default `email`. */
  readonly name?: string | undefined;
  /** The mail. Default: in English, with the binding message, the time left and the link. */
  readonly mail?: ((prompt: Prompt) => Mail) | undefined;
}

/** How long each step of an SMTP conversation may take, in milliseconds, where the transport does not say: less than a channel may. */
const STEP_WITHIN = 4_000;

/** How long a whole conversation may take, in milliseconds: less than a channel may. */
const SENT_WITHIN = 4_500;

type Nodemailer = typeof import('nodemailer');

/**
 * Reaches people by e-mail. A mail cannot be taken back; its link says that the request is over.
 *
 * Needs the package `nodemailer`. An address that the mail server will never take (5yz, RFC 5321 4.2.1) counts as `refused`, one that does not
 * exist (5.1.1, RFC 3463) as `gone`, any other failure as `unavailable`. A mail that the server may have, and does not say so, is not sent again:
 * it counts as `refused`.
 * @throws {CibaError} `invalid_option`, naming what is wrong
 */
export function email({ transport, from, to, name = 'email', mail = defaultMail }: EmailOptions): Channel {
  if (typeof from !== 'string' || from === '') throw invalidOption('email.from', 'must be an address');
  if (typeof to !== 'function') throw invalidOption('email.to', 'must be a function');
  const given = typeof (transport as Transporter | null)?.sendMail === 'function';
  const transporter = given ? (transport as Transporter) : transporterOf(transport);
  const known = watchMailings(transporter);
  return {
    name,
    async send(prompt, signal) {
      const over = new AbortController();
      const mailing = newMailing(signal, over.signal);
      const sending = async (): Promise<void> => {
        const address = await to(prompt);
        if (!address) throw new ChannelError('no_address', `${name}: the person has no address`);
        mailing.signal.throwIfAborted();
        await transporter.sendMail(messageTo(address, prompt, mailing.signal));
      };
      await within(SENT_WITHIN, name, sending()).catch((cause: unknown) => {
        over.abort();
        if (cause instanceof ChannelError) throw cause;
        throw failureOf(cause, name, known ? mailing.begun : cause instanceof DeadlineError);
      });
    },
    ...(!given && { close: () => transporter.close() }),
  };

  function messageTo(
    address: string,
    prompt: Prompt,
    signal: AbortSignal,
  ): SendMailOptions & { signal: AbortSignal } {
    return {
      // As an object: what an address holds cannot become a second one.
      to: { name: '', address },
      from,
      // The same for the same request: whoever gets it twice can tell.
      messageId: messageIdOf(prompt, from),
      ...mail(prompt),
      // RFC 3834 5: no out-of-office answer to it.
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
      // Closes the connection.
      signal,
    };
  }
}

function transporterOf(transport: EmailOptions['transport']): Transporter {
  const { createTransport } = optionalPackage<Nodemailer>(
    'nodemailer',
    'channels',
    'has email, which needs the package nodemailer: install it',
  );
  if (typeof transport === 'string' && !URL.canParse(transport)) {
    throw invalidOption('email.transport', 'must be a transport of nodemailer, its options or an smtp URL');
  }
  const times = {
    connectionTimeout: STEP_WITHIN,
    greetingTimeout: STEP_WITHIN,
    socketTimeout: STEP_WITHIN,
    dnsTimeout: STEP_WITHIN,
    // A pool of connections sends a mail again by itself where one breaks.
    maxRequeues: 0,
  };
  const options = typeof transport === 'string' ? { url: transport } : transport;
  return createTransport({ ...times, ...options } as TransportOptions);
}

/** `begun`: whether the mail server may have the mail. */
function failureOf(cause: unknown, name: string, begun: boolean): ChannelError {
  const {
    responseCode = 0,
    response = '',
    code = '',
  } = cause as {
    responseCode?: number;
    response?: string;
    code?: string;
  };
  const message = `${name}: ${responseCode || code || 'failed'}`;
  // The mail may be on its way: a second one would be worse than the next channel.
  if (responseCode === 0 && begun) {
    return new ChannelError('refused', `${name}: it is not known whether the mail was taken`, { cause });
  }
  // Wrong credentials are a fault of the server's, not the person's: it may be mended while the request lives.
  const final = responseCode >= 500 && code !== 'EAUTH' && code !== 'ECONNECTION';
  if (!final) return new ChannelError('unavailable', message, { cause });
  return new ChannelError(/\b5\.1\.1\b/.test(response) ? 'gone' : 'refused', message, { cause });
}

/** Made of the handle, which the mail's link holds as well. */
function messageIdOf({ handle }: Prompt, from: string): string {
  const [, domain = 'localhost'] = /@([A-Za-z0-9.-]+)/.exec(from) ?? [];
  return `<${createHash('sha256').update(handle).digest('hex').slice(0, 32)}@${domain}>`;
}

/** The default mail. */
export function defaultMail(prompt: Prompt): Mail {
  const { clientName, bindingMessage, link } = prompt;
  const left = timeLeft(prompt);
  const text = [
    `${clientName} asks you${bindingMessage === undefined ? ' for your approval.' : ':'}`,
    ...(bindingMessage === undefined ? [] : ['', `    ${bindingMessage}`]),
    '',
    ...(link === undefined ? [] : [`See what it is about, and approve or deny it: ${link}`, '']),
    `You have ${left}. If you did not start this, deny it.`,
    '',
  ];
  const page = html`<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<div style="${BODY}">
<p><strong dir="auto">${clientName}</strong> asks you</p>
${bindingMessage === undefined ? undefined : html`<p dir="auto" style="${MESSAGE}">${bindingMessage}</p>`}
${link === undefined ? undefined : linkTo(link)}
<p>You have ${left}. If you did not start this, deny it.</p>
</div>`;
  return { subject: askedBy(prompt), text: text.join('\n'), html: page.text };
}

const linkTo = (link: string): Markup =>
  html`<p><a href="${link}" style="${BUTTON}">See what it is about</a></p>
<p style="${SMALL}">Or open this address: ${link}</p>`;

const BODY = 'max-width:32rem;margin:0 auto;padding:1rem;font:16px/1.5 system-ui,sans-serif';
const MESSAGE = 'font-size:1.25rem;font-weight:600;overflow-wrap:anywhere';
const BUTTON =
  'display:inline-block;padding:.75rem 1.25rem;border-radius:.5rem;background:#1d4ed8;color:#fff;text-decoration:none';
const SMALL = 'font-size:.875rem;overflow-wrap:anywhere';
