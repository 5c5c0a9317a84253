import { DOUBT } from '../../lib/store/lifecycle.js';

/** What was asked of a server, and what it said, so that a checker can tell afterwards whether all of it can be true. */

/** What a request can be told to be by an answer. */
export type Told =
  /** The request was made. */
  | 'started'
  /** This decision was accepted, or is the one that stands. */
  | 'approved'
  | 'denied'
  | 'cancelled'
  /** Polls only. */
  | 'pending'
  | 'slow_down'
  | 'tokens'
  | 'access_denied'
  | 'invalid_grant'
  | 'expired'
  /** The server said that it does not know: whether it was done is open. */
  | 'unavailable'
  /** No answer came: the same. */
  | 'lost'
  /** Anything else, which no answer should be. */
  | 'wrong';

export interface Operation {
  readonly id: string;
  readonly kind: 'start' | 'approve' | 'deny' | 'cancel' | 'poll';
  readonly told: Told;
  /** Whether a decision was refused: then `told` is what stands. */
  readonly refused?: boolean;
  /** When it was sent and when its answer was there, in milliseconds since the epoch. */
  readonly began: number;
  readonly ended: number;
  /** The same by the store's clock, which the nemesis moves. */
  readonly earliest: number;
  readonly latest: number;
  /** Of a start: how long the request lives, in milliseconds. */
  readonly lifetime?: number;
  readonly node: number;
  /** What an answer was that is `wrong`, the token of one that has it. */
  readonly detail?: string;
}

/** A node that was killed, and when, in milliseconds since the epoch. */
export interface Death {
  readonly node: number;
  readonly at: number;
}

export interface Violation {
  /** The invariant of the fault model that is broken. */
  readonly invariant: 'I1' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I13';
  readonly id: string;
  readonly sentence: string;
}

/** For how long a request is known after its end, in milliseconds: the default. */
const RETENTION = 600_000;

/** Whether nobody knows what became of it. */
const open = ({ told }: Operation): boolean => told === 'unavailable' || told === 'lost';

const DECIDES = { approve: 'approved', deny: 'denied', cancel: 'cancelled' } as const;

type Verdict = (typeof DECIDES)[keyof typeof DECIDES];

const isDecision = ({ kind }: Operation): boolean => kind in DECIDES;

const verdictOf = ({ kind }: Operation): Verdict => DECIDES[kind as keyof typeof DECIDES];

/** A decision that was accepted. Withdrawing what is withdrawn is accepted again. */
const accepted = (each: Operation): boolean =>
  isDecision(each) && !each.refused && each.told === verdictOf(each);

/** Whether one had ended before the other began. */
const before = (one: Operation, other: Operation): boolean => one.ended < other.began;

/** The verdict that an answer says, if any. */
function saysVerdict({ told }: Operation): readonly Verdict[] | undefined {
  switch (told) {
    case 'approved':
    case 'tokens':
      return ['approved'];
    case 'denied':
      return ['denied'];
    case 'cancelled':
      return ['cancelled'];
    // A poll does not tell the two apart.
    case 'access_denied':
      return ['denied', 'cancelled'];
    default:
      return undefined;
  }
}

/** After the first comes nothing but these, whoever asks: I5 and I7. */
const AFTER: Readonly<Partial<Record<Told, ReadonlySet<Told>>>> = {
  // A poll is told to wait while another one holds the claim.
  approved: new Set(['approved', 'tokens', 'slow_down', 'invalid_grant', 'expired']),
  denied: new Set(['denied', 'access_denied']),
  cancelled: new Set(['cancelled', 'access_denied']),
  access_denied: new Set(['access_denied', 'denied', 'cancelled']),
  tokens: new Set(['invalid_grant', 'approved']),
  expired: new Set(['expired']),
};

/** The violations in a history: none where every answer can be true. What is open may have been done, at any time since, or not. */
export function check(history: readonly Operation[], deaths: readonly Death[] = []): Violation[] {
  return [...byRequest(history)].flatMap(([id, operations]) => checkRequest(id, operations, deaths));
}

/** The requests of which nobody has had tokens because a node was killed. */
export function burnt(history: readonly Operation[], deaths: readonly Death[]): string[] {
  return [...byRequest(history)]
    .filter(([, operations]) => {
      const polls = whileKnown(operations).filter(({ kind }) => kind === 'poll');
      const used = polls.filter((poll) => poll.told === 'invalid_grant' && !isGiven(poll, polls));
      return used.some((poll) => polls.some((other) => isBurnt(other, poll, deaths)));
    })
    .map(([id]) => id);
}

function byRequest(history: readonly Operation[]): Map<string, Operation[]> {
  const requests = new Map<string, Operation[]>();
  for (const operation of history) {
    const one = requests.get(operation.id);
    if (one) one.push(operation);
    else requests.set(operation.id, [operation]);
  }
  return requests;
}

/** All but the polls that came so late that the request had been forgotten: to those it is as unknown as one that never was. */
function whileKnown(operations: readonly Operation[]): readonly Operation[] {
  const start = operations.find(({ kind }) => kind === 'start');
  if (start?.lifetime === undefined) return operations;
  const forgotten = start.earliest + start.lifetime + RETENTION;
  return operations.filter(({ told, latest }) => told !== 'invalid_grant' || latest < forgotten);
}

/** Whether somebody has had the tokens, or may have. */
function isGiven(poll: Operation, polls: readonly Operation[]): boolean {
  return polls.some(
    (other) =>
      other !== poll && other.began < poll.ended && (other.told === 'tokens' || other.told === 'lost'),
  );
}

/**
 * Whether a poll was answered 503 by a node that was killed before it can have given the redemption back: what is not promised. Of that, too,
 * nobody hears before the redemption is in doubt no more.
 */
function isBurnt(unavailable: Operation, later: Operation, deaths: readonly Death[]): boolean {
  const { told, node, began, ended, earliest } = unavailable;
  const died = deaths.some((death) => death.node === node && death.at > began && death.at < ended + DOUBT);
  return told === 'unavailable' && died && later.latest >= earliest + DOUBT;
}

function checkRequest(id: string, all: readonly Operation[], deaths: readonly Death[]): Violation[] {
  const operations = whileKnown(all);
  const violations: Violation[] = [];
  const found = (invariant: Violation['invariant'], sentence: string): void => {
    violations.push({ invariant, id, sentence });
  };
  const start = operations.find(({ kind }) => kind === 'start');
  const decisions = operations.filter(isDecision);
  const polls = operations.filter(({ kind }) => kind === 'poll');
  const tokens = polls.filter(({ told }) => told === 'tokens');

  for (const { kind, told, detail } of operations) {
    if (told === 'wrong') found('I13', `a ${kind} was answered ${detail}`);
  }

  if (tokens.length > 1) found('I1', `${tokens.length} polls were given tokens`);

  // One verdict, and somebody must have made it.
  const made = decisions.filter((each) => accepted(each) || open(each));
  const firsts = new Set(decisions.filter(accepted).map(verdictOf));
  if (firsts.size > 1) found('I4', `accepted as ${[...firsts].join(' and as ')}`);
  const approvals = decisions.filter((each) => each.kind === 'approve' && accepted(each));
  if (approvals.length > 1) found('I4', `${approvals.length} approvals were accepted`);
  for (const each of operations) {
    const said = saysVerdict(each);
    if (!said) continue;
    const [verdict] = firsts;
    if (verdict !== undefined && !said.includes(verdict)) {
      found('I4', `${verdict} was accepted, and a ${each.kind} was told ${each.told}`);
    }
    if (!made.some((decision) => said.includes(verdictOf(decision)) && decision.began < each.ended)) {
      found('I3', `a ${each.kind} was told ${each.told}, which nobody had decided`);
    }
  }

  // Time, by the store's clock.
  if (start?.lifetime !== undefined) {
    const [soonest, last] = [start.earliest + start.lifetime, start.latest + start.lifetime];
    for (const each of operations) {
      if (each.told === 'expired' && each.latest < soonest) {
        found('I6', `a ${each.kind} was told expired ${soonest - each.latest} ms before the end`);
      }
      const alive = each.told === 'pending' || each.told === 'tokens' || (accepted(each) && each !== start);
      // Of a withdrawal that is repeated the first one counts.
      if (alive && each.kind !== 'cancel' && each.earliest >= last) {
        found('I6', `a ${each.kind} was told ${each.told} ${each.earliest - last} ms after the end`);
      }
    }
  }

  // What was said stays said.
  for (const first of operations) {
    const allowed = AFTER[first.told];
    if (!allowed) continue;
    for (const later of operations) {
      if (open(later) || later.told === 'wrong' || !before(first, later)) continue;
      if (allowed.has(later.told)) continue;
      // While the store has not heard that the settle was, a poll is told to wait.
      if (first.told === 'tokens' && later.told === 'slow_down' && later.earliest < first.latest + DOUBT)
        continue;
      const invariant = later.kind === first.kind ? 'I7' : 'I5';
      found(
        invariant,
        `a ${first.kind} was told ${first.told}, and after it a ${later.kind} was told ${later.told}`,
      );
    }
  }

  // What is used up, somebody has used: a client that was given tokens, or one whose answer did not arrive.
  for (const poll of polls) {
    if (poll.told !== 'invalid_grant' || isGiven(poll, polls)) continue;
    if (polls.some((other) => isBurnt(other, poll, deaths))) continue;
    found('I13', 'a poll was told invalid_grant, and nobody had been given tokens');
  }
  return violations;
}
