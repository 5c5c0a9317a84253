/** A clock that specs move instead of waiting: `offset` is what a store takes as its `timeOffset`. */
export interface MovingClock {
  readonly offset: () => number;
  /** Moves time by so many milliseconds. */
  advance(ms: number): void;
  /** Moves time to this moment, in milliseconds since the epoch. */
  moveTo(time: number): void;
  /** Back to the real time. */
  reset(): void;
}

export function movingClock(): MovingClock {
  let moved = 0;
  return {
    offset: () => moved,
    advance(ms) {
      moved += ms;
    },
    moveTo(time) {
      moved = time - Date.now();
    },
    reset() {
      moved = 0;
    },
  };
}

/** Stops this process's clock, so that a moved time is exact to the millisecond, until the function returned is called. */
export function stopTime(): () => void {
  const { now } = Date;
  const stopped = now();
  Date.now = () => stopped;
  return () => {
    Date.now = now;
  };
}

/** Moves the clock of this process, which oidc-provider goes by, until it is restored. */
export function processClock(): { advance(seconds: number): void; restore(): void } {
  const now = Date.now;
  let offset = 0;
  return {
    advance: (seconds) => {
      offset += seconds * 1000;
      Date.now = () => now.call(Date) + offset;
    },
    restore: () => {
      Date.now = now;
    },
  };
}
