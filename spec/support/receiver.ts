import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Certificate } from '../../example-app/fapi/certificates.js';

/** One request that a receiver got. */
export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turns, as they were sent. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** When it was there as a whole, in milliseconds since the epoch. */
  readonly at: number;
}

/** Answers one request, or does not; `connection` is the TCP connection beneath, also with https. */
export type Script = (response: ServerResponse, received: Received, connection: Socket) => unknown;

/** What a receiver does with a connection: `speak` HTTP, or what comes before it and instead of it. */
export type Greeting = 'speak' | 'silence' | 'reset' | 'garbage';

export interface ReceiverOptions {
  /** With it the receiver speaks https, without it http. */
  readonly certificate?: Certificate | undefined;
  /** TLS as a badly kept server has it. */
  readonly tls?: ServerOptions;
  /** The address to listen on. Default `127.0.0.1`. */
  readonly host?: string;
  /** Default: any free port. */
  readonly port?: number;
  /** Default `speak`. */
  readonly greeting?: Greeting;
}

/** A client's notification endpoint, on this machine. */
export interface Receiver {
  readonly port: number;
  /** The address of the endpoint. */
  readonly url: string;
  /** Every request, in the order in which they were there as a whole. */
  readonly received: readonly Received[];
  /** How many TCP connections have been accepted. */
  readonly connections: number;
  /** How many of them are open. */
  readonly open: number;
  /** Says how requests are answered from now on: each script answers one, the last one all that follow. Default `status(204)`. */
  answer(...scripts: readonly Script[]): void;
  /** Closes every connection, whatever is under way on it. */
  close(): Promise<void>;
}

/** Starts a receiver. It is the spec's to close. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { certificate, host = '127.0.0.1', greeting = 'speak' } = options;
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let scripts: Script[] = [status(204)];
  let connections = 0;

  const http = certificate ? createHttpsServer({ ...certificate, ...options.tls }) : createHttpServer();
  http.on('tlsClientError', () => {});
  http.on('request', async (request, response: ServerResponse) => {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    const { method = '', url: path = '', headers, rawHeaders } = request;
    const one: Received = { method, path, headers, rawHeaders, body, at: Date.now() };
    received.push(one);
    const [script] = scripts.length > 1 ? scripts.splice(0, 1) : scripts;
    const connection = [...sockets].find(({ remotePort }) => remotePort === request.socket.remotePort);
    if (connection) await script?.(response, one, connection);
  });
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (greeting === 'speak') http.emit('connection', socket);
    else if (greeting === 'reset') socket.resetAndDestroy();
    else if (greeting === 'garbage') socket.end('220 mail.example ESMTP\r\n');
    else socket.resume();
  });
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    port,
    url: `${certificate ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}/notify`,
    received,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    answer(...given) {
      scripts = [...given];
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Answers with a status, and with what else is given. */
export function status(
  code: number,
  headers: Record<string, string> = {},
  body: string | Buffer = '',
): Script {
  return (response) => response.writeHead(code, headers).end(body);
}

/** Never answers. */
export function hang(): Script {
  return () => {};
}

/** Breaks the connection off. */
export function reset(): Script {
  return (_response, _received, connection) => connection.resetAndDestroy();
}

/** Writes these bytes to the connection instead of an answer, and closes it. */
export function raw(bytes: string | Buffer): Script {
  return (response) => response.socket?.end(bytes);
}

/** Writes `first`, and then `again` for ever, until the other side closes the connection. */
export function flood(first: string, again: string): Script {
  return (response) => {
    const { socket } = response;
    const more = (): unknown => socket?.destroyed || socket?.write(again, () => setImmediate(more));
    socket?.write(first, more);
  };
}

/** Writes these bytes one by one, with this many milliseconds between them, and then closes the connection. */
export function drip(bytes: string, every: number): Script {
  return ({ socket }) => {
    let at = 0;
    const timer = setInterval(() => {
      if (at < bytes.length) socket?.write(bytes.charAt(at++));
      else socket?.end();
    }, every);
    socket?.once('close', () => clearInterval(timer));
  };
}

/** Answers 200 with a body of this many bytes. `sent` tells how many of them left before the other side was gone. */
export function largeBody(bytes: number): Script & { readonly sent: number } {
  const piece = Buffer.alloc(64 * 1024, 'x');
  let sent = 0;
  const script: Script = (response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes });
    const more = (error?: Error | null): void => {
      if (error || response.destroyed) return;
      if (sent >= bytes) {
        response.end();
        return;
      }
      const part = piece.subarray(0, bytes - sent);
      response.write(part, (failure) => {
        if (!failure) sent += part.length;
        more(failure);
      });
    };
    more();
  };
  return Object.defineProperty(script, 'sent', { get: () => sent }) as Script & { readonly sent: number };
}

/** Runs something, and counts the TCP connections that this process begins meanwhile, whoever would have answered them. */
export async function countConnects(run: () => Promise<unknown>): Promise<number> {
  let begun = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'TCPCONNECTWRAP') begun += 1;
    },
  }).enable();
  try {
    await run();
  } finally {
    hook.disable();
  }
  return begun;
}
