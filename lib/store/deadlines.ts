import { DeadlineError } from '../deadline.js';

/** What waits, until when. */
interface Waiting {
  readonly until: number;
  readonly late: (error: DeadlineError) => void;
}

/** How late a look may be before it is put off, once, by as much again, in milliseconds. */
const AWAY = 100;

/** Deadlines of one length. They share a timer: one each would cost a poll more than reading its answer. */
export class Deadlines {
  readonly #milliseconds: number;
  readonly #what: string;
  /** In the order in which they end, since all are equally long. */
  readonly #waiting = new Set<Waiting>();
  #ticking = false;
  #putOff = false;

  constructor(milliseconds: number, what: string) {
    this.#milliseconds = milliseconds;
    this.#what = what;
  }

  /** Begins one. `late` is called when it is over, unless it was ended before. */
  begin(late: (error: DeadlineError) => void): Waiting {
    const waiting = { until: performance.now() + this.#milliseconds, late };
    this.#waiting.add(waiting);
    if (!this.#ticking) this.#tick(this.#milliseconds);
    return waiting;
  }

  /** Whether one is not over yet, and was not ended. */
  waits(waiting: Waiting): boolean {
    return this.#waiting.has(waiting);
  }

  /** Ends one; `false` where it was over already. */
  end(waiting: Waiting): boolean {
    return this.#waiting.delete(waiting);
  }

  #tick(milliseconds: number): void {
    this.#ticking = true;
    const due = performance.now() + milliseconds;
    // What has come already is heard first: a process that was busy for so long has not read it yet.
    const timer = setTimeout(() => setImmediate(() => this.#look(due)), milliseconds);
    // What is waited for holds a connection, which keeps the process alive.
    timer.unref();
  }

  #look(due: number): void {
    this.#ticking = false;
    const now = performance.now();
    // This process was away itself, and may not have sent yet what it waits for.
    if (now - due > AWAY && !this.#putOff) {
      this.#putOff = true;
      this.#tick(AWAY);
      return;
    }
    this.#putOff = false;
    for (const waiting of this.#waiting) {
      if (waiting.until > now) {
        this.#tick(Math.ceil(waiting.until - now));
        return;
      }
      this.#waiting.delete(waiting);
      waiting.late(new DeadlineError(`${this.#what} took longer than ${this.#milliseconds} ms`));
    }
  }
}
