/** Does what is due for a request at a turn, and says what it came to. */
export type Work = (handle: string, turn: number) => Promise<string>;

/**
 * Who does what is due now, once at a time. What is due is in the store's outbox: a queue may lose a job, which is then added
 * again. A job is named after its request and its turn, so that a second add does nothing.
 */
export interface DeliveryQueue {
  /** For how many jobs more there is room. What finds none is left where it is due, for whoever has room. */
  readonly free: number;
  /** Takes a job, or loses it where it has no room for it. */
  add(handle: string, turn: number): Promise<void>;
  /** Does jobs in this process from now on. */
  work(work: Work): void;
  /** Finishes what is running and takes no more, until it is told to work again. */
  rest(): Promise<void>;
  /** Rests, and ends what it opened. */
  close(): Promise<void>;
}

/**
 * How many jobs a process does at a time. A job that waits for a client's endpoint costs a connection and little else, so that very
 * many of them may hang before another client has to wait.
 */
export const CONCURRENCY = 1_000;
