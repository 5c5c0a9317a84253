import { hash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { within } from '../deadline.js';
import { CibaError } from '../errors.js';
import { Deadlines } from './deadlines.js';
import { warnOfEviction } from './eviction.js';
import { COMMAND_TIMEOUT, openConnection, type RedisClient, whenReady } from './redis-connection.js';
import { ReplicaScripts, type Replicas } from './redis-replicas.js';
import { type ScriptName, scripts } from './scripts.js';

export type Argument = string | number;

/** A server that does not know a script. */
const UNKNOWN = /^NOSCRIPT /;

/** A server of a cluster, which runs no script over several slots, whatever client has asked it. */
const CROSS_SLOT = /^CROSSSLOT |\bin (the )?same slot/;

/** How many commands leave together at most, and how many milliseconds after the first: so that Redis has something to do in a long turn. */
const [AT_A_TIME, GATHERED_FOR] = [10, 1];

/** What is told where a script's keys lie apart: on a cluster, also on one that is reached as if it were a single server. */
export const APART: unique symbol = Symbol('the keys lie apart');

/** Gives whoever wants to hear of the commands that end, where anybody does: a script's name, or `other`. */
export type CommandTimer = () => ((name: string, seconds: number, failed: boolean) => void) | undefined;

/** How a script is run. */
interface Manner<T> {
  /** Reads what it answers. */
  readonly read?: (reply: unknown) => T;
  /** Whether it leaves at once, unless this turn has more to say: it is not waited for what may follow it. */
  readonly alone?: boolean | undefined;
}

/** Asks in another way what has failed, where there is one. */
type Again<Reply = unknown> = (error: Error) => Promise<Reply> | undefined;

/** A script to be sent. */
interface Script {
  readonly sent: () => Promise<unknown>;
  readonly again: Again;
}

/** Runs the scripts of a store over one connection, each within one deadline. */
export class RedisScripts {
  readonly #client: RedisClient;
  readonly #timeOffset: () => number;
  readonly #unavailable: (cause: unknown) => void;
  readonly #deadlines = new Deadlines(COMMAND_TIMEOUT, 'Redis');
  readonly #replicas: Replicas | undefined;
  readonly #timer: CommandTimer;
  /** What Redis knows the scripts by. ioredis' own way with scripts costs each call as much as all else that is done here. */
  readonly #digests = digests();
  #opened: RedisClient | undefined;
  #lasting: ReplicaScripts | undefined;
  /** The connection that holds what it is told in this turn, and how much that was. A cluster's have no such thing. */
  #gathering: Writable | undefined;
  #gathered = 0;
  #gatheredUntil = 0;
  #closed = false;
  #apart: boolean;

  constructor(
    client: RedisClient,
    timeOffset: () => number,
    unavailable: (cause: unknown) => void,
    replicas?: Replicas,
    timer: CommandTimer = () => undefined,
  ) {
    this.#client = client;
    this.#timer = timer;
    this.#timeOffset = timeOffset;
    this.#unavailable = unavailable;
    this.#replicas = replicas;
    this.#apart = client.isCluster;
  }

  /** Runs a script; its first argument, the clock's offset, is put in front of those given. */
  run<T = unknown>(
    name: ScriptName,
    keys: readonly string[],
    args: readonly Argument[],
    { read, alone }: Manner<T> = {},
  ): Promise<T> {
    const { sent, again } = this.#script(name, keys, args, alone);
    return this.#timed(this.#known<unknown, T>(sent(), read, again), name);
  }

  /** Runs a script whose effect may not be lost with the server: where replicas are waited for, it counts once they have it. */
  runLasting<T = unknown>(
    name: ScriptName,
    keys: readonly string[],
    args: readonly Argument[],
    { read, alone }: Manner<T> = {},
  ): Promise<T> {
    const { sent, again } = this.#lastingScript(name, keys, args, alone);
    return this.#timed(this.#known<unknown, T>(sent(), read, again), name);
  }

  /** Runs a script whose keys are of several slots, or says {@link APART}: then nothing was done. `lasting` as {@link runLasting} does. */
  runAcross(
    name: ScriptName,
    told: () => readonly [keys: readonly string[], args: readonly Argument[]],
    { lasting = false, alone }: Manner<unknown> & { readonly lasting?: boolean } = {},
  ): Promise<unknown> {
    if (this.#apart) return Promise.resolve(APART);
    const [keys, args] = told();
    const { sent, again } = lasting
      ? this.#lastingScript(name, keys, args, alone)
      : this.#script(name, keys, args, alone);
    const orApart: Again = (error) => {
      if (!CROSS_SLOT.test(error.message)) return again(error);
      this.#apart = true;
      return Promise.resolve(APART);
    };
    return this.#timed(this.#known(sent(), undefined, orApart), name);
  }

  /** By its digest, and with its text to a server that does not know it: a new one, or one that was told to forget. */
  #script(name: ScriptName, keys: readonly string[], args: readonly Argument[], alone = false): Script {
    const { numberOfKeys, lua } = scripts[name];
    const told = [...keys, this.#timeOffset(), ...args];
    return {
      sent: () => this.#sent((redis) => redis.evalsha(this.#digests[name], numberOfKeys, ...told), alone),
      again: ({ message }) =>
        UNKNOWN.test(message) ? this.#sent((redis) => redis.eval(lua, numberOfKeys, ...told)) : undefined,
    };
  }

  #lastingScript(
    name: ScriptName,
    keys: readonly string[],
    args: readonly Argument[],
    alone?: boolean,
  ): Script {
    const replicas = this.#replicas;
    if (!replicas) return this.#script(name, keys, args, alone);
    return {
      sent: () => {
        if (this.#closed) return Promise.reject(closed());
        this.#lasting ??= new ReplicaScripts(this.#client, replicas);
        return this.#lasting.run(scripts[name], keys, [this.#timeOffset(), ...args]);
      },
      again: () => undefined,
    };
  }

  /** One deadline for the connection and the command; what fails is unknown, and said to be so. */
  send<Reply, T = Reply>(
    command: (redis: RedisClient) => Promise<Reply>,
    read?: (reply: Reply) => T,
    name = 'other',
  ): Promise<T> {
    return this.#timed(this.#known(this.#sent(command), read), name);
  }

  #timed<T>(answer: Promise<T>, name: string): Promise<T> {
    const tell = this.#timer();
    if (!tell) return answer;
    const began = performance.now();
    const ended = (failed: boolean) => (): void => tell(name, (performance.now() - began) / 1000, failed);
    answer.then(ended(false), ended(true));
    return answer;
  }

  #known<Reply, T = Reply>(
    answer: Promise<Reply>,
    read: (reply: Reply) => T = (reply) => reply as unknown as T,
    again?: Again<Reply>,
  ): Promise<T> {
    // One promise for all of it: nearly all that a server does passes here.
    return new Promise((resolve, reject) => {
      const failed = (error: unknown): void => {
        // It has been told where it was found.
        if (error instanceof CibaError) {
          reject(error);
          return;
        }
        const cause = withoutArguments(error);
        this.#unavailable(cause);
        reject(new CibaError('store_unavailable', 'the store did not answer', { cause }));
      };
      const waiting = this.#deadlines.begin(failed);
      const heard = (reply: Reply): void => {
        if (!this.#deadlines.end(waiting)) return;
        try {
          resolve(read(reply));
        } catch (error) {
          failed(error);
        }
      };
      const ended = (error: unknown): void => {
        if (this.#deadlines.end(waiting)) failed(error);
      };
      answer.then(heard, (error: Error) => {
        // What is told unknown by now must not come to anything: whoever heard that may have taken it back.
        const another = this.#deadlines.waits(waiting) ? again?.(error) : undefined;
        if (another) another.then(heard, ended);
        else ended(error);
      });
    });
  }

  /** The same for what may fail: nobody waits for it, nobody is told. */
  attempt(command: (redis: RedisClient) => Promise<unknown>): void {
    this.#sent(command).catch(() => {});
  }

  /** The same for a look at how the connection does, which is no fault. It takes as long as the connection needs, and no longer than a command. */
  look<T>(command: (redis: RedisClient) => Promise<T>): Promise<T> {
    return within(COMMAND_TIMEOUT, 'Redis', this.#sent(command));
  }

  /** The same for a script. */
  tryRun(name: ScriptName, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    const { sent, again } = this.#script(name, keys, args);
    const orAgain = (error: Error): Promise<unknown> => again(error) ?? Promise.reject(error);
    return within(COMMAND_TIMEOUT, 'Redis', sent().catch(orAgain));
  }

  #sent<T>(command: (redis: RedisClient) => Promise<T>, alone = false): Promise<T> {
    try {
      const redis = this.#connection();
      if (redis.status !== 'ready') return whenReady(redis).then(() => command(redis));
      if (!alone || this.#gathering) this.#gather(redis);
      return command(redis);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What one turn of the event loop has to say leaves some at a time: each by itself would cost more than all that is done for a poll. */
  #gather(redis: RedisClient): void {
    const { stream } = redis as { readonly stream?: Writable };
    if (!stream) return;
    if (stream !== this.#gathering) {
      this.#gathering = stream;
      this.#hold(stream);
      setImmediate(() => {
        this.#gathering = undefined;
        stream.uncork();
      });
      return;
    }
    this.#gathered += 1;
    if (this.#gathered < AT_A_TIME && performance.now() < this.#gatheredUntil) return;
    stream.uncork();
    this.#hold(stream);
  }

  #hold(stream: Writable): void {
    this.#gathered = 0;
    this.#gatheredUntil = performance.now() + GATHERED_FOR;
    stream.cork();
  }

  close(): void {
    this.#closed = true;
    this.#opened?.disconnect();
    this.#lasting?.close();
  }

  /** Opened when it is first needed: where CIBA is not enabled, never. */
  #connection(): RedisClient {
    if (this.#closed) throw closed();
    if (this.#opened) return this.#opened;
    const connection = openConnection(this.#client);
    warnOfEviction(connection);
    this.#opened = connection;
    return connection;
  }
}

const digests = (): Readonly<Record<ScriptName, string>> =>
  Object.fromEntries(Object.entries(scripts).map(([name, { lua }]) => [name, hash('sha1', lua)])) as Record<
    ScriptName,
    string
  >;

const closed = (): Error => new Error('the store is closed');

/** What ioredis throws carries the command with its arguments, which may be secret and would be in every log. */
function withoutArguments(error: unknown): Error {
  const { name, message, code } = error as Error & { code?: unknown };
  return Object.assign(new Error(message), { name, ...(code !== undefined && { code }) });
}
