import { Readable } from 'node:stream';
import type { Transporter } from 'nodemailer';

/** One try at sending a mail. */
export interface Mailing {
  /** Ends it. Nothing of the mail leaves after that. */
  readonly signal: AbortSignal;
  /** Whether the mail server may have the mail. */
  begun: boolean;
}

const mailings = new WeakMap<AbortSignal, Mailing>();
const watched = new WeakSet<Transporter>();

/**
 * Has {@link Mailing.begun} set on what the transporter sends, which nodemailer's errors do not tell: a mail is read only once its server has
 * asked for it. `false` where the transporter speaks no SMTP, and nothing is known.
 */
export function watchMailings(transporter: Transporter): boolean {
  const { name } = (transporter.transporter ?? {}) as { name?: string };
  if (!name?.startsWith('SMTP')) return false;
  if (!watched.has(transporter)) {
    transporter.use('stream', ({ data, message }, done) => {
      const mailing = mailings.get((data as { signal?: AbortSignal }).signal as AbortSignal);
      if (mailing) message.processFunc((mail) => noticed(mail, mailing));
      done();
    });
    watched.add(transporter);
  }
  return true;
}

/** A try that is over when the channel's is, or when it is given up. */
export function newMailing(...signals: readonly AbortSignal[]): Mailing {
  const mailing = { signal: AbortSignal.any([...signals]), begun: false };
  mailings.set(mailing.signal, mailing);
  return mailing;
}

function noticed(mail: Readable, mailing: Mailing): Readable {
  const read = async function* (): AsyncGenerator<Uint8Array> {
    mailing.signal.throwIfAborted();
    mailing.begun = true;
    yield* mail as AsyncIterable<Uint8Array>;
  };
  const stream = Readable.from(read(), { objectMode: false });
  mail.once('error', (cause) => stream.destroy(cause));
  return stream;
}
