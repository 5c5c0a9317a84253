import { within } from '../deadline.js';
import type { DeliveryQueue } from '../delivery/queue.js';
import type { Emitter } from '../emitter.js';
import type { CibaEvents } from '../events.js';
import { type RequestView, viewOf } from '../request/view.js';
import { newOperation } from '../store/operation.js';
import { PROMPT_TAKEN_FOR, type StoredPrompt, type Prompts as StoredPrompts } from '../store/prompts.js';
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

/**
 * How long the server may take to say which channels, and a channel to send, in milliseconds. With every look at the store it is less than a
 * turn is left to whoever has taken it.
 */
export const CHAIN_WITHIN = 1_500;
export const SEND_WITHIN = 5_000;

/** The longest that a step may wait, in seconds. */
const LONGEST_WAIT = 3_600;

/** What a prompter works with. */
export interface PrompterParts {
  readonly prompts: StoredPrompts;
  readonly queue: DeliveryQueue;
  readonly channels: readonly Channel[];
  readonly chain:
    | ((request: RequestView) => Promise<readonly ChainStep[]> | readonly ChainStep[])
    | undefined;
  readonly linkTo: (handle: string) => string | undefined;
  readonly events: Emitter;
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
    const came = await this.#end(found, after, now + performance.now() - began, pending, told);
    if (came === 'superseded' && pending) await this.#takeBack(prompt, tried);
    return came;
  }

  /** Another process has ended this turn: where it did because the request was over, it knows nothing of what was sent meanwhile. */
  async #takeBack(prompt: Prompt, tried: readonly Tried[]): Promise<void> {
    const found = await this.#parts.prompts.find(prompt.handle);
    if (found?.request.status === 'pending') return;
    const sent = tried.filter(({ failure }) => failure === undefined);
    await Promise.all(sent.map((leg) => this.#try(leg, prompt, false)));
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
    // What this process goes on with at once is nobody else's.
    const goesOn = delay === 0 && next !== undefined && queue.free > 0;
    const advanced = await prompts.advance(request.handle, {
      turn,
      progress: JSON.stringify(progress),
      delay: goesOn ? PROMPT_TAKEN_FOR : delay,
      operation: newOperation(),
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
    // Where the place was taken meanwhile, it is whoever's has room.
    if (goesOn && queue.free > 0) await queue.add(request.handle, turn + 1);
    else if (goesOn) await prompts.schedule(request.handle, 0);
    return pending ? 'prompting' : 'dismissing';
  }

  async #progressOf({ progress }: StoredPrompt, view: RequestView): Promise<Progress> {
    if (progress !== undefined) return JSON.parse(progress) as Progress;
    const { channels, chain, events } = this.#parts;
    const all = channels.map(({ name }) => ({ channel: name }));
    if (!chain) return newChain(all);
    try {
      const steps = await within(CHAIN_WITHIN, 'the chain', Promise.resolve(chain(view)));
      return newChain(checked(steps, channels));
    } catch (cause) {
      // A fault of the server's must not keep the person from hearing.
      events.emit('prompt.error', { handle: view.handle, cause });
      return newChain(all);
    }
  }

  /** One channel, once. That one is missing here is not for ever: another version of the server may have it. */
  async #try(
    { channel: name, step }: Pick<Leg, 'channel' | 'step'>,
    prompt: Prompt,
    pending: boolean,
  ): Promise<Tried & { readonly cause?: unknown }> {
    const channel = this.#parts.channels.find((one) => one.name === name);
    const over = new AbortController();
    const began = performance.now();
    const tellTime = (outcome: string, failed = false): void =>
      this.#parts.events.time(() => {
        const { handle, clientId } = prompt;
        return {
          of: 'prompt',
          kind: name,
          seconds: (performance.now() - began) / 1000,
          outcome,
          failed,
          handle,
          clientId,
        };
      });
    try {
      if (!channel) throw new ChannelError('unavailable', `there is no channel ${name}`);
      if (!pending && !channel.dismiss) return { channel: name, step, stays: true };
      const done = pending ? channel.send(prompt, over.signal) : channel.dismiss?.(prompt, over.signal);
      await within(SEND_WITHIN, name, Promise.resolve(done));
      tellTime(pending ? 'sent' : 'dismissed');
      return { channel: name, step };
    } catch (cause) {
      over.abort();
      const failure = cause instanceof ChannelError ? cause.reason : 'unavailable';
      tellTime(failure, true);
      return { channel: name, step, failure, cause };
    }
  }

  #tellOf(
    { channel, step }: Leg,
    after: Progress,
    tried: readonly (Tried & { readonly cause?: unknown })[],
    { handle, clientId, accountId }: RequestView,
    pending: boolean,
  ): Told[] {
    const isThis = (one: Pick<Leg, 'channel' | 'step'>): boolean =>
      one.channel === channel && one.step === step;
    const leg = after.legs.find(isThis) as Leg;
    const { failure, cause, stays } = tried.find(isThis) ?? {};
    if (stays) return [];
    const about = { handle, clientId, accountId, channel, attempts: pending ? leg.attempts : leg.dismissals };
    if (failure === undefined) return [[pending ? 'prompt.sent' : 'prompt.dismissed', about]];
    const failed = { ...about, reason: failure, again: leg.state === (pending ? 'trying' : 'sent'), cause };
    return [[pending ? 'prompt.failed' : 'prompt.left', failed]];
  }
}

/** What the server's own chain says, held to what a chain may be. */
function checked(steps: readonly ChainStep[], channels: readonly Channel[]): readonly ChainStep[] {
  if (!Array.isArray(steps)) throw new TypeError('chain must return a list of steps');
  for (const { channel, wait = 0 } of steps as readonly ChainStep[]) {
    if (![channel].flat().every((named) => channels.some(({ name }) => name === named))) {
      throw new TypeError('chain must return steps with the names of channels');
    }
    if (!(typeof wait === 'number' && wait >= 0 && wait <= LONGEST_WAIT)) {
      throw new RangeError(`chain must return waits from 0 to ${LONGEST_WAIT} seconds`);
    }
  }
  return steps;
}
