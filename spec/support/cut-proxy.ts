import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type ScriptName, scripts } from '../../lib/store/scripts.js';
import { replyEnd, requestAt } from './resp.js';

/** Picks a command by its words, the name in front. */
export type CommandFilter = (command: readonly string[]) => boolean;

/** What becomes of a command: its line breaks before or after it was executed, or it is sent, or its reply heard, so many milliseconds late. */
export type Fault = 'unsent' | 'unheard' | { readonly sentAfter: number } | { readonly heardAfter: number };

/** A TCP proxy in front of a Redis server that loses replies when it is told to. */
export interface CutProxy {
  readonly port: number;
  /** Every command that came through, in order. */
  readonly commands: readonly (readonly string[])[];
  /** How many replies have been lost. */
  readonly cuts: number;
  /**
   * Lets the next command that `picks` picks be executed, and then closes its connection instead of delivering the reply.
   * The promise is kept when that has happened.
   */
  cutReplyOf(picks: CommandFilter): Promise<void>;
  /** Lets a fault befall the next command that `picks` picks, once. The promise is kept when it has begun. */
  befall(picks: CommandFilter, fault: Fault): Promise<void>;
  /** How many connections are open. */
  readonly connections: number;
  /** Accepts connections and moves no byte, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Leaves the connections that are frozen so for ever, as a host that vanished does; new ones are served. */
  abandon(): void;
  /** Leads connections that are made from now on to another server on this machine. */
  leadTo(port: number): void;
  close(): Promise<void>;
}

/** Picks the calls of one of the store's scripts. */
export function callOf(name: ScriptName): CommandFilter {
  return callOfLua(scripts[name].lua);
}

/** Picks the calls of a script by its text, sent whole or by its digest. */
export function callOfLua(lua: string): CommandFilter {
  const digest = createHash('sha1').update(lua).digest('hex');
  return ([command, script]) =>
    (command?.toLowerCase() === 'eval' && script === lua) ||
    (command?.toLowerCase() === 'evalsha' && script === digest);
}

export async function startCutProxy(targetPort: number): Promise<CutProxy> {
  const commands: string[][] = [];
  const sockets = new Set<Socket>();
  let armed: { picks: CommandFilter; fault: Fault; happened: () => void } | undefined;
  let cuts = 0;
  let target = targetPort;
  let frozen = false;

  const server = createServer((client) => {
    const upstream = connect({ port: target, host: '127.0.0.1' });
    /** What to do when the replies of the commands that are under way come, in order. */
    const awaited: (() => void)[] = [];
    const drop = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const there = streamTo(upstream);
    const back = streamTo(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      if (frozen) socket.pause();
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        drop();
      });
    }
    eachPart(
      client,
      (bytes, at) => {
        const request = requestAt(bytes, at);
        if (!request) return undefined;
        commands.push(request.command);
        const met = armed?.picks(request.command) ? armed : undefined;
        if (met) armed = undefined;
        const fault = met?.fault;
        const begins = (): void => {
          if (typeof fault === 'object') {
            if ('sentAfter' in fault) there.hold(fault.sentAfter);
            else back.hold(fault.heardAfter);
          } else {
            cuts += 1;
            drop();
          }
          met?.happened();
        };
        const atOnce = fault === 'unsent' || (typeof fault === 'object' && 'sentAfter' in fault);
        if (met && atOnce) begins();
        awaited.push(() => {
          if (met && !atOnce) begins();
        });
        return request.end;
      },
      there.write,
    );
    eachPart(
      upstream,
      (bytes, at) => {
        const end = replyEnd(bytes, at);
        // A push message is nobody's reply.
        if (end !== undefined && bytes[at] !== '>'.charCodeAt(0)) awaited.shift()?.();
        return end;
      },
      back.write,
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const befall = (picks: CommandFilter, fault: Fault): Promise<void> =>
    new Promise((resolve) => {
      armed = { picks, fault, happened: resolve };
    });

  return {
    port: (server.address() as AddressInfo).port,
    commands,
    get cuts() {
      return cuts;
    },
    cutReplyOf: (picks) => befall(picks, 'unheard'),
    befall,
    get connections() {
      return sockets.size / 2;
    },
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    abandon() {
      frozen = false;
    },
    leadTo(port) {
      target = port;
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Writes to a socket, or keeps what is to be written for a while. */
function streamTo(socket: Socket): { write(bytes: Buffer): void; hold(milliseconds: number): void } {
  let held: Buffer[] | undefined;
  let timer: NodeJS.Timeout | undefined;
  const write = (bytes: Buffer): void => {
    if (held) held.push(bytes);
    else if (!socket.destroyed) socket.write(bytes);
  };
  return {
    write,
    hold(milliseconds) {
      // What is held already is held for longer.
      held ??= [];
      clearTimeout(timer);
      timer = setTimeout(() => {
        const late = held ?? [];
        held = undefined;
        for (const bytes of late) write(bytes);
      }, milliseconds);
    },
  };
}

/** Splits what comes over a socket into messages, and passes each on whole. */
function eachPart(
  socket: Socket,
  endOf: (bytes: Buffer, start: number) => number | undefined,
  pass: (bytes: Buffer) => void,
): void {
  let waiting: Buffer = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes]);
    let at = 0;
    for (let end = endOf(waiting, at); end !== undefined; end = endOf(waiting, at)) {
      pass(waiting.subarray(at, end));
      at = end;
    }
    waiting = waiting.subarray(at);
  });
}
