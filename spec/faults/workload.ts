import { RACERS } from '../races/race-configuration.js';
import type { Operation, Told } from './history.js';
import type { FaultNode, Reply } from './node.js';

/** Random numbers from a seed, so that what was drawn can be drawn again. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The nodes that clients and people reach, of which the nemesis puts others in their place, and the time that it has moved. */
export interface Field {
  readonly nodes: (FaultNode | undefined)[];
  /** By how much the store's clock is moved, in milliseconds. */
  offset: number;
  /** Kept while the clock is moved: every node has to have the same one. */
  still: Promise<void>;
}

interface Timed {
  /** Nothing where no answer came. */
  readonly reply: Reply | undefined;
  readonly times: Pick<Operation, 'began' | 'ended' | 'earliest' | 'latest'>;
}

/** A request of the history, and what is left to ask about it. */
interface Live {
  readonly id: string;
  readonly client: (typeof RACERS)[number];
  left: number;
}

const LIVES = ['10', '30', '300'];

/** How many requests are live at a time, and how often each is asked something. */
const [LIVE, ASKED] = [24, 24];

/** Clients and people that do at random all that they can do, and write down what they are told. */
export class Workload {
  readonly history: Operation[] = [];
  /** The access tokens that were given. */
  readonly accessTokens: string[] = [];
  readonly #field: Field;
  readonly #random: () => number;
  readonly #live: Live[] = [];
  #underWay = 0;
  #stopped = false;

  constructor(field: Field, random: () => number) {
    this.#field = field;
    this.#random = random;
  }

  /** Goes on until {@link Workload.stop}. */
  async run(actors: number): Promise<void> {
    await Promise.all(Array.from({ length: actors }, () => this.#act()));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Waits until nothing is under way. */
  async idle(): Promise<void> {
    while (this.#underWay > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  /** Polls each request again that has no end yet, until it has one: what came of it is what everybody was told. */
  async settle(within: number): Promise<void> {
    const end = Date.now() + within;
    const first = new Map<string, Operation>();
    for (const each of this.history) if (!first.has(each.id)) first.set(each.id, each);
    const ids = [...first.keys()];
    const approved = new Set(this.history.filter(({ told }) => told === 'approved').map(({ id }) => id));
    const one = async (id: string): Promise<void> => {
      const client = RACERS.find(({ client_id }) => client_id === first.get(id)?.detail) ?? RACERS[0];
      for (let node = 0; Date.now() < end; node += 1) {
        const told = await this.#poll({ id, client: client as Live['client'], left: 0 }, node % 2);
        if (told === undefined) continue;
        // What nobody has decided may pend on.
        if (!(told === 'slow_down' || told === 'unavailable' || told === 'lost')) return;
        if (told === 'slow_down' && !approved.has(id)) return;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    for (let at = 0; at < ids.length; at += 20) await Promise.all(ids.slice(at, at + 20).map(one));
  }

  async #act(): Promise<void> {
    while (!this.#stopped) {
      await this.#field.still;
      this.#underWay += 1;
      try {
        await this.#step();
      } finally {
        this.#underWay -= 1;
      }
    }
  }

  async #step(): Promise<void> {
    const node = this.#node();
    if (this.#live.length < LIVE) return this.#start(node);
    const at = Math.floor(this.#random() * this.#live.length);
    const live = this.#live[at] as Live;
    live.left -= 1;
    if (live.left <= 0) this.#live.splice(at, 1);
    const drawn = this.#random();
    const [one, other] = [0, 1];
    if (drawn < 0.45) await this.#poll(live, node);
    // Two polls at once on two nodes, and two people at once, are what races are made of.
    else if (drawn < 0.65) await Promise.all([this.#poll(live, one), this.#poll(live, other)]);
    else if (drawn < 0.82) await this.#decide(live, node, 'approve');
    else if (drawn < 0.88) await this.#decide(live, node, 'deny');
    else if (drawn < 0.92) await this.#cancel(live, node);
    else if (drawn < 0.96) {
      await Promise.all([this.#decide(live, one, 'approve'), this.#decide(live, other, 'deny')]);
    } else await Promise.all([this.#decide(live, one, 'approve'), this.#poll(live, other)]);
  }

  #node(): number {
    return this.#random() < 0.5 ? 0 : 1;
  }

  async #start(node: number): Promise<void> {
    const client = RACERS[Math.floor(this.#random() * RACERS.length)] as Live['client'];
    const expiry = LIVES[Math.floor(this.#random() * LIVES.length)] as string;
    const account = `person-${Math.floor(this.#random() * 1e9)}`;
    const asking = { login_hint: account, requested_expiry: expiry };
    const timed = await this.#timed(node, (on) => on.ask(asking, client));
    if (!timed) return;
    const { reply, times } = timed;
    const id = reply?.body['auth_req_id'];
    // What was not acknowledged has no name: nobody can be told anything of it.
    if (reply?.status !== 200 || id === undefined) {
      if (reply && reply.status !== 503)
        this.#note({ id: '', kind: 'start', told: 'wrong', detail: said(reply), ...times, node });
      return;
    }
    this.#note({
      id,
      kind: 'start',
      told: 'started',
      lifetime: Number(expiry) * 1_000,
      detail: client.client_id,
      ...times,
      node,
    });
    this.#live.push({ id, client, left: ASKED });
  }

  async #poll(live: Live, node: number): Promise<Told | undefined> {
    const { id, client } = live;
    const timed = await this.#timed(node, (on) => on.poll(id, { client }));
    if (!timed) return undefined;
    const { reply, times } = timed;
    const told = toldByPoll(reply);
    const detail = told === 'wrong' && reply ? said(reply) : reply?.body['access_token'];
    if (told === 'tokens' && detail) this.accessTokens.push(detail);
    // What has ended is asked a few times more.
    if (/^(tokens|expired|access_denied|invalid_grant)$/.test(told)) live.left = Math.min(live.left, 5);
    this.#note({ id, kind: 'poll', told, ...(detail !== undefined && { detail }), ...times, node });
    return told;
  }

  async #decide({ id }: Live, node: number, kind: 'approve' | 'deny'): Promise<void> {
    const action = kind === 'approve' ? 'allow' : 'deny';
    const timed = await this.#timed(node, (on) => on.decide(id, action));
    if (!timed) return;
    const { reply, times } = timed;
    const told = toldByDecision(reply);
    const detail = told === 'wrong' && reply && { detail: said(reply) };
    this.#note({ id, kind, told, refused: reply?.status === 409, ...detail, ...times, node });
  }

  async #cancel({ id, client }: Live, node: number): Promise<void> {
    const timed = await this.#timed(node, (on) => on.cancel(id, client));
    if (!timed) return;
    const { reply, times } = timed;
    const told = toldByCancellation(reply);
    const detail = told === 'wrong' && reply && { detail: said(reply) };
    this.#note({ id, kind: 'cancel', told, refused: reply?.status === 400, ...detail, ...times, node });
  }

  /** What came of it; nothing where the node is gone, and was never asked. */
  async #timed(index: number, ask: (node: FaultNode) => Promise<Reply>): Promise<Timed | undefined> {
    const node = this.#field.nodes[index];
    const began = Date.now();
    const earliest = began + this.#field.offset - 1;
    let refused = node === undefined;
    const reply =
      node &&
      (await ask(node).catch((error: NodeJS.ErrnoException) => {
        refused = error.code === 'ECONNREFUSED';
        return undefined;
      }));
    if (refused) {
      // A node that is being started again takes a moment, in which nobody needs to knock.
      await new Promise((resolve) => setTimeout(resolve, 20));
      return undefined;
    }
    const ended = Date.now();
    // A millisecond to either side, for clocks that are read in whole ones.
    return { reply, times: { began, ended, earliest, latest: ended + this.#field.offset + 1 } };
  }

  #note(operation: Operation): void {
    this.history.push(operation);
  }
}

const said = ({ status, body }: Reply): string => `${status} ${JSON.stringify(body)}`;

function toldByPoll(reply: Reply | undefined): Told {
  if (!reply) return 'lost';
  const { status, body } = reply;
  if (status === 200 && body['access_token'] !== undefined) return 'tokens';
  // Who is not told when to come again has not been told that it is not known.
  if (status === 503) return reply.retryAfter === undefined ? 'wrong' : 'unavailable';
  if (status !== 400) return 'wrong';
  switch (body['error']) {
    case 'authorization_pending':
      return 'pending';
    case 'expired_token':
      return 'expired';
    case 'slow_down':
    case 'access_denied':
    case 'invalid_grant':
      return body['error'];
    default:
      return 'wrong';
  }
}

function toldByDecision(reply: Reply | undefined): Told {
  if (!reply) return 'lost';
  const { status, body } = reply;
  if (status === 503) return 'unavailable';
  const { outcome } = body;
  if (outcome === 'approved' || outcome === 'denied' || outcome === 'cancelled' || outcome === 'expired') {
    return status === 200 || status === 409 ? outcome : 'wrong';
  }
  return 'wrong';
}

function toldByCancellation(reply: Reply | undefined): Told {
  if (!reply) return 'lost';
  const { status, body } = reply;
  if (status === 204) return 'cancelled';
  if (status === 503) return reply.retryAfter === undefined ? 'wrong' : 'unavailable';
  const outcome = /(approved|denied|expired)/.exec(body['error_description'] ?? '')?.[0];
  return status === 400 && body['error'] === 'invalid_grant' && outcome ? (outcome as Told) : 'wrong';
}
