import { within } from '../deadline.js';
import type { DeliveryQueue } from '../delivery/queue.js';
import type { CibaEvents, Events } from '../events.js';
import { type RequestView, viewOf } from '../request/view.js';
import type { StoredPrompt, Prompts as StoredPrompts } from '../store/prompts.js';
import {
  beginSteps,
  conclude,
  dueLegs,
  endChain,
  isUnreachable,
  type Leg,
  newChain,
  nextAt,
  type Progress,
  type Tried,
} from './chain.js';
import { type ChainStep, type Channel, ChannelError, type Prompt } from './channel.js';
import { promptOf } from './prompt.js';

/** How long the server may take to say which channels, and a channel to send, in milliseconds: together less than a turn is left alone. */
const CHAIN_WITHIN = 1_500;
const SEND_WITHIN = 7_000;

/** What a prompter works with. */
export interface PrompterParts {
  readonly prompts: StoredPrompts;
  readonly queue: DeliveryQueue;
  readonly channels: readonly Channel[];
  readonly chain:
    | ((request: RequestView) => Promise<readonly ChainStep[]> | readonly ChainStep[])
    | undefined;
  readonly linkTo: (handle: string) => string | undefined;
  readonly events: Events;
}

type Told = { [Name in keyof CibaEvents]: readonly [name: Name, event: CibaEvents[Name]] }[keyof CibaEvents];

/**
 * Reaches people, and takes back what they need not see any more. As with telling clients, everything is in the store: any process may take
 * any turn, and may be killed at any point; then a prompt is sent once more, and none is lost.
 */
export class Prompter {
  readonly #parts: PrompterParts;

  constructor(parts: PrompterParts) {
    this.#parts = parts;
  }

  /** Takes a turn. Says in a word what it came to. */
  async work(handle: string, turn: number): Promise<string> {
    const { prompts } = this.#parts;
    const found = await prompts.find(handle);
    if (!found) {
      await prompts.leave(handle);
      return 'over';
    }
    if (found.turn !== turn) return 'superseded';
    if (found.progress === undefined && found.request.status !== 'pending') {
      await prompts.leave(handle);
      return 'over';
    }
    return this.#take(found);
  }

  async #take(found: StoredPrompt): Promise<string> {
    const { request } = found;
    const pending = request.status === 'pending';
    const now = request.expiresAt - request.remaining;
    const began = performance.now();
    const view = viewOf(request);
    const stored = await this.#progressOf(found, view);
    const progress = pending ? beginSteps(stored, now) : endChain(stored, now);
    const due = dueLegs(progress, now, pending);
    const prompt = promptOf(view, this.#parts.linkTo(request.handle));
    const tried = await Promise.all(due.map((leg) => this.#try(leg, prompt, pending)));
    const after = conclude(progress, tried, now + performance.now() - began);
    const told = due.flatMap((leg) => this.#tellOf(leg, after, tried, view, pending));
    if (pending && isUnreachable(after) && !isUnreachable(stored)) {
      const { handle, clientId, accountId } = view;
      told.push(['prompt.unreachable', { handle, clientId, accountId }]);
    }
    return this.#end(found, after, now + performance.now() - began, pending, told);
  }

  async #end(
    found: StoredPrompt,
    progress: Progress,
    now: number,
    pending: boolean,
    told: readonly Told[],
  ): Promise<string> {
    const { prompts, queue, events } = this.#parts;
    const { request, turn } = found;
    const next = nextAt(progress, now, pending);
    // A pending request is looked at again when it ends, to take its prompts away.
    const delay = Math.max(
      0,
      pending ? Math.min(next ?? request.expiresAt, request.expiresAt) - now : (next ?? now) - now,
    );
    const advanced = await prompts.advance(request.handle, {
      turn,
      progress: JSON.stringify(progress),
      delay,
    });
    if (!advanced) return 'superseded';
    for (const [name, event] of told) events.emit(name, event as never);
    if (!pending && next === undefined) {
      await prompts.leave(request.handle);
      return 'ended';
    }
    // A decision that fell meanwhile has put the request in front, and this turn has put it back.
    if (pending && (await prompts.find(request.handle))?.request.status !== 'pending') {
      await prompts.schedule(request.handle, 0);
      return 'decided';
    }
    // What is not heard here is found in the index.
    if (delay === 0) await queue.add(request.handle, turn + 1).catch(() => {});
    return pending ? 'prompting' : 'dismissing';
  }

  async #progressOf({ progress }: StoredPrompt, view: RequestView): Promise<Progress> {
    if (progress !== undefined) return JSON.parse(progress) as Progress;
    const { channels, chain } = this.#parts;
    const steps = chain
      ? await within(CHAIN_WITHIN, 'the chain', Promise.resolve(chain(view)))
      : channels.map(({ name }) => ({ channel: name }));
    return newChain(steps);
  }

  /** One channel, once. That one is missing here is not for ever: another version of the server may have it. */
  async #try(
    { channel: name }: Leg,
    prompt: Prompt,
    pending: boolean,
  ): Promise<Tried & { readonly cause?: unknown }> {
    const channel = this.#parts.channels.find((one) => one.name === name);
    const over = new AbortController();
    try {
      if (!channel) throw new ChannelError('unavailable', `there is no channel ${name}`);
      const done = pending ? channel.send(prompt, over.signal) : channel.dismiss?.(prompt, over.signal);
      await within(SEND_WITHIN, name, Promise.resolve(done));
      return { channel: name };
    } catch (cause) {
      over.abort();
      return { channel: name, failure: cause instanceof ChannelError ? cause.reason : 'unavailable', cause };
    }
  }

  #tellOf(
    { channel }: Leg,
    after: Progress,
    tried: readonly (Tried & { readonly cause?: unknown })[],
    { handle, clientId, accountId }: RequestView,
    pending: boolean,
  ): Told[] {
    const leg = after.legs.find((one) => one.channel === channel) as Leg;
    const { failure, cause } = tried.find((one) => one.channel === channel) ?? {};
    const attempts = pending ? leg.attempts : leg.dismissals;
    const about = { handle, clientId, accountId, channel, attempts };
    if (failure !== undefined) {
      const again = leg.state === 'trying' || leg.state === 'sent';
      return [['prompt.failed', { ...about, reason: failure, again, cause }]];
    }
    if (pending) return [['prompt.sent', about]];
    return this.#parts.channels.some((one) => one.name === channel && one.dismiss)
      ? [['prompt.dismissed', about]]
      : [];
  }
}
