import { type EndpointRules, endpointProblem } from '../delivery/endpoint.js';
import { type Answer, Outgoing } from '../delivery/outgoing.js';
import { judge } from '../delivery/retry-policy.js';
import { invalidOption } from '../errors.js';
import { type OutgoingOptions, outgoingSettings } from '../settings/delivery.js';
import { ChannelError } from './channel.js';

/** How long the other side may take to answer, in milliseconds: less than a channel may. */
const ANSWER_WITHIN = 4_500;

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
  readonly #rules: EndpointRules;

  /** `gone` lists the statuses that say that an address works no more. */
  constructor(channel: string, options: OutgoingOptions, gone: readonly number[] = [410]) {
    this.#channel = channel;
    this.#rules = outgoingSettings(channel, options);
    this.#outgoing = new Outgoing(this.#rules as ConstructorParameters<typeof Outgoing>[0]);
    this.#gone = new Set(gone);
  }

  /**
   * Holds an address of the server's own to the rules before anything is sent there.
   * @throws {CibaError} `invalid_option`, naming the option
   */
  check(option: string, url: string): void {
    const wrong = typeof url === 'string' ? endpointProblem(url, this.#rules) : 'must be an https URL';
    if (wrong) throw invalidOption(`${this.#channel}.${option}`, wrong);
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
