import { randomUUID } from 'node:crypto';
import { type RequestHandler, Router } from 'express';
import type { SendMailOptions, Transport } from 'nodemailer';
import { openStream } from './live-stream.js';

/** Where the mailbox is. */
export const MAILBOX_PATH = '/mailbox';

/** How many mails are kept. */
const KEPT = 50;

/** A mail as the mailbox's page shows it. */
interface Mail {
  readonly id: string;
  readonly at: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Mail that leaves this process for nowhere: a nodemailer transport, and the page that shows what it was given. */
export class Mailbox {
  /** The newest in front. */
  readonly #mails: Mail[] = [];
  readonly #arrived = new EventTarget();

  /** What nodemailer sends with. */
  get transport(): Transport {
    return {
      name: 'mailbox',
      version: '1',
      send: (mail, done) => {
        const envelope = mail.message.getEnvelope();
        this.#keep([envelope.to].flat().join(', '), mail.data);
        done(null, { envelope, messageId: mail.message.messageId() });
      },
    };
  }

  /** `/mailbox/events`: `mails` with all of them, now and whenever one has come. */
  routes(serverStops: AbortSignal): Router {
    const router = Router();
    router.get('/mailbox/events', (_req, res) => {
      const stream = openStream(res, serverStops);
      const tell = (): void => stream.send('mails', { mails: this.#mails });
      this.#arrived.addEventListener('mail', tell, { signal: stream.over });
      tell();
    });
    return router;
  }

  #keep(to: string, { subject = '', text, html }: SendMailOptions): void {
    this.#mails.unshift({
      id: randomUUID(),
      at: new Date().toISOString(),
      to,
      subject,
      text: String(text ?? ''),
      html: String(html ?? ''),
    });
    this.#mails.length = Math.min(this.#mails.length, KEPT);
    this.#arrived.dispatchEvent(new Event('mail'));
  }
}

/** Everybody's mail is in the mailbox, and nobody is asked who they are: in production there is none. */
export const noMailbox: RequestHandler = (req, res, next) => {
  if (!/^\/mailbox\b/.test(req.path)) return next();
  res.status(404).json({ error: 'not_found', error_description: 'there is nothing here in production' });
};
