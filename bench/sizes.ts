export type PopulationFigure = 'pollsAt1000' | 'pollsAt100000' | 'pollsAt1000000';

/** How much is measured. */
export interface Sizes {
  /** How often servers that are compared are started anew. */
  readonly starts: number;
  /** Rounds in which the contenders take turns after each start, and how long a turn takes in milliseconds. */
  readonly rounds: number;
  readonly milliseconds: number;
  /** Pending requests that are polled in turn: so many that none is polled too early. */
  readonly pending: number;
  /** Assertions that a client signs for one turn. */
  readonly assertions: number;
  /** Approvals that are timed one by one. */
  readonly approvals: number;
  /** Numbers of pending requests that are compared. */
  readonly populations: readonly { readonly pending: number; readonly figure: PopulationFigure }[];
  /** How often each of those is polled a thousand times. */
  readonly bursts: number;
  readonly held: number;
  readonly pings: number;
}

export const FULL: Sizes = {
  starts: 5,
  rounds: 2,
  milliseconds: 2_000,
  pending: 60_000,
  assertions: 5_000,
  approvals: 300,
  populations: [
    { pending: 1_000, figure: 'pollsAt1000' },
    { pending: 100_000, figure: 'pollsAt100000' },
    { pending: 1_000_000, figure: 'pollsAt1000000' },
  ],
  bursts: 25,
  held: 10_000,
  pings: 2_000,
};

/** To see that all of it works. */
export const QUICK: Sizes = {
  starts: 1,
  rounds: 2,
  milliseconds: 600,
  pending: 24_000,
  assertions: 1_500,
  approvals: 40,
  populations: [
    { pending: 1_000, figure: 'pollsAt1000' },
    { pending: 100_000, figure: 'pollsAt100000' },
  ],
  bursts: 4,
  held: 1_000,
  pings: 300,
};
