import type { Server } from './stage.js';
import { median } from './statistics.js';

/** Rounds that do not count. */
const WARM_UP = 2;

/** What a contender did in one turn. */
export interface Turn {
  readonly count: number;
  readonly milliseconds: number;
  /** Processor time of its server, in milliseconds. */
  readonly cpu: number;
}

/** What several contenders did in the same rounds. */
export class Rounds<Name extends string> {
  readonly #turns: ReadonlyMap<Name, readonly Turn[]>;

  private constructor(turns: ReadonlyMap<Name, readonly Turn[]>) {
    this.#turns = turns;
  }

  /**
   * Lets the contenders take turns, in another order each round, so that the machine's noise meets all alike. What they do in the first rounds
   * warms them up and does not count.
   */
  static async run<Name extends string>(
    names: readonly Name[],
    rounds: number,
    turn: (name: Name) => Promise<Turn>,
  ): Promise<Rounds<Name>> {
    const turns = new Map<Name, Turn[]>(names.map((name) => [name, []]));
    for (let round = 0; round < WARM_UP + rounds; round += 1) {
      for (let place = 0; place < names.length; place += 1) {
        const name = names[(round + place) % names.length] as Name;
        const done = await turn(name);
        if (round >= WARM_UP) turns.get(name)?.push(done);
      }
    }
    return new Rounds(turns);
  }

  /** All of these as if they were one: servers started anew differ by some per cent, whatever they run. */
  static joined<Name extends string>(all: readonly Rounds<Name>[]): Rounds<Name> {
    const names = new Set(all.flatMap((rounds) => [...rounds.#turns.keys()]));
    return new Rounds(new Map([...names].map((name) => [name, all.flatMap((rounds) => rounds.#of(name))])));
  }

  /** How much is done in a second. */
  perSecond(name: Name): number {
    return median(this.#of(name).map(perSecond));
  }

  /** The median of what each round gives: both were measured within seconds. */
  ratio(name: Name, other: Name): number {
    const others = this.#of(other).map(perSecond);
    return median(this.#of(name).map((turn, round) => perSecond(turn) / (others[round] ?? Number.NaN)));
  }

  /** Processor time of the server for one piece of it, in microseconds. */
  cpu(name: Name): number {
    return median(this.#of(name).map(({ cpu, count }) => (1_000 * cpu) / count));
  }

  #of(name: Name): readonly Turn[] {
    return this.#turns.get(name) ?? [];
  }
}

const perSecond = ({ count, milliseconds }: Turn): number => (1_000 * count) / milliseconds;

/** One turn of a server's. */
export async function turnOf<Done extends Omit<Turn, 'cpu'>>(
  { process }: Server,
  work: () => Promise<Done>,
): Promise<Turn & { readonly done: Done }> {
  const before = await process.call('cpu');
  const done = await work();
  const cpu = (await process.call('cpu')) - before;
  return { count: done.count, milliseconds: done.milliseconds, cpu, done };
}
