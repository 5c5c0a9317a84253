/** Does what is due for a request at a turn, and says what it came to. */
export type Work = (handle: string, turn: number) => Promise<string>;

/**
 * Who does what is due now, once at a time. What is due is in the store's outbox: a queue may lose a job, which is then added
 * again. A job is named after its request and its turn, so that a second add does nothing.
 */
export interface DeliveryQueue {
  add(handle: string, turn: number): Promise<void>;
  /** Does jobs in this process from now on. */
  work(work: Work): Promise<void>;
  /** Finishes what is running and takes no more. */
  close(): Promise<void>;
}

/** How many jobs a process does at a time. */
export const CONCURRENCY = 64;
