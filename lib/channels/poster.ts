import { type Answer, Outgoing } from '../delivery/outgoing.js';
import { judge } from '../delivery/retry-policy.js';
import { type OutgoingOptions, outgoingSettings } from '../settings.js';
import { ChannelError } from './channel.js';

/** How long the other side may take to answer, in milliseconds: less than a channel may. */
const ANSWER_WITHIN = 6_000;

/** What is posted to where. */
export interface Posting {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string | Uint8Array;
  readonly signal: AbortSignal;
}

/** Posts a channel's messages through the same guard as notifications: public addresses over verified TLS, no redirects. */
export class Poster {
  readonly #channel: string;
  readonly #outgoing: Outgoing;
  readonly #gone: ReadonlySet<number>;

  /** `gone` lists the statuses that say that an address works no more. */
  constructor(channel: string, options: OutgoingOptions, gone: readonly number[] = [410]) {
    this.#channel = channel;
    this.#outgoing = new Outgoing(outgoingSettings(channel, options));
    this.#gone = new Set(gone);
  }

  /** @throws {ChannelError} where the answer is no 2xx */
  async post({ url, headers, body, signal }: Posting): Promise<void> {
    const answer = await this.#outgoing.post(url, { headers, body, signal, within: ANSWER_WITHIN });
    const verdict = judge(answer);
    if (verdict === 'delivered') return;
    const message = `${this.#channel}: ${wordsOf(answer)}`;
    if (answer.kind === 'answered' && this.#gone.has(answer.status)) throw new ChannelError('gone', message);
    throw new ChannelError(verdict === 'final' ? 'refused' : 'unavailable', message);
  }

  close(): void {
    this.#outgoing.close();
  }
}

function wordsOf(answer: Answer): string {
  switch (answer.kind) {
    case 'answered':
      return `answered ${answer.status}`;
    case 'failed':
      return `${answer.reason} ${answer.detail}`;
    case 'refused':
      return `the address ${answer.reason}`;
  }
}
