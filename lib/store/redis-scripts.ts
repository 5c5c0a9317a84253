import type { Writable } from 'node:stream';
import { within } from '../deadline.js';
import { CibaError } from '../errors.js';
import { Deadlines } from './deadlines.js';
import { warnOfEviction } from './eviction.js';
import { COMMAND_TIMEOUT, openConnection, type RedisClient, whenReady } from './redis-connection.js';
import { ReplicaScripts, type Replicas } from './redis-replicas.js';
import { type ScriptName, scripts } from './scripts.js';

type Argument = string | number;

/** Version of the scripts: two versions of the plugin can share a connection. */
const VERSION = 2;

/** How many commands leave together at most: so that Redis has something to do while a long turn has more to say. */
const AT_A_TIME = 10;

/** Gives whoever wants to hear of the commands that end, where anybody does: a script's name, or `other`. */
export type CommandTimer = () => ((name: string, seconds: number, failed: boolean) => void) | undefined;

/** Runs the scripts of a store over one connection, each within one deadline. */
export class RedisScripts {
  readonly #client: RedisClient;
  readonly #timeOffset: () => number;
  readonly #unavailable: (cause: unknown) => void;
  readonly #deadlines = new Deadlines(COMMAND_TIMEOUT, 'Redis');
  readonly #replicas: Replicas | undefined;
  readonly #timer: CommandTimer;
  #opened: RedisClient | undefined;
  #lasting: ReplicaScripts | undefined;
  /** The connection that holds what it is told in this turn, and how much that was. A cluster's have no such thing. */
  #gathering: Writable | undefined;
  #gathered = 0;
  #closed = false;

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
  }

  /** Runs a script; its first argument, the clock's offset, is put in front of those given. What it answers is read by `read`. */
  run<T = unknown>(
    name: ScriptName,
    keys: readonly string[],
    args: readonly Argument[],
    read?: (reply: unknown) => T,
  ): Promise<T> {
    return this.send<unknown, T>(this.#script(name, keys, args), read, name);
  }

  /** Runs a script whose effect may not be lost with the server: where replicas are waited for, it counts once they have it. */
  runLasting(name: ScriptName, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    const replicas = this.#replicas;
    if (!replicas) return this.run(name, keys, args);
    if (this.#closed) return this.#known(Promise.reject(closed()));
    this.#lasting ??= new ReplicaScripts(this.#client, replicas);
    const ran = this.#lasting.run(scripts[name], keys, [this.#timeOffset(), ...args]);
    return this.#timed(this.#known(ran), name);
  }

  #script(
    name: ScriptName,
    keys: readonly string[],
    args: readonly Argument[],
  ): (redis: RedisClient) => Promise<unknown> {
    return (redis) => {
      const script = redis[commandName(name) as 'get'] as unknown as (
        ...args: Argument[]
      ) => Promise<unknown>;
      return script.call(redis, ...keys, this.#timeOffset(), ...args);
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
      answer.then(
        (reply) => {
          if (!this.#deadlines.end(waiting)) return;
          try {
            resolve(read(reply));
          } catch (error) {
            failed(error);
          }
        },
        (error: unknown) => {
          if (this.#deadlines.end(waiting)) failed(error);
        },
      );
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
    return this.look(this.#script(name, keys, args));
  }

  #sent<T>(command: (redis: RedisClient) => Promise<T>): Promise<T> {
    try {
      const redis = this.#connection();
      if (redis.status !== 'ready') return whenReady(redis).then(() => command(redis));
      this.#gather(redis);
      return command(redis);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What one turn of the event loop has to say leaves some at a time: each by itself would cost more than all that is done for a poll. */
  #gather(redis: RedisClient): void {
    const { stream } = redis as { readonly stream?: Writable };
    if (!stream) return;
    if (stream === this.#gathering) {
      this.#gathered += 1;
      if (this.#gathered % AT_A_TIME === 0) {
        stream.uncork();
        stream.cork();
      }
      return;
    }
    this.#gathering = stream;
    this.#gathered = 0;
    stream.cork();
    setImmediate(() => {
      this.#gathering = undefined;
      stream.uncork();
    });
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
    for (const [name, { numberOfKeys, lua }] of Object.entries(scripts)) {
      connection.defineCommand(commandName(name as ScriptName), { numberOfKeys, lua });
    }
    this.#opened = connection;
    return connection;
  }
}

const closed = (): Error => new Error('the store is closed');

/** What ioredis throws carries the command with its arguments, which may be secret and would be in every log. */
function withoutArguments(error: unknown): Error {
  const { name, message, code } = error as Error & { code?: unknown };
  return Object.assign(new Error(message), { name, ...(code !== undefined && { code }) });
}

function commandName(name: ScriptName): string {
  return `oidcCiba${VERSION}${name}`;
}
