import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A line of bytes to a server on this machine, which can be frozen: what was sent and has not arrived yet never does, if it is cut. */
export interface Line {
  readonly port: number;
  /** How many connections are open. */
  readonly connections: number;
  /** Moves no byte in either direction; connections stay open, and new ones are accepted. */
  freeze(): void;
  thaw(): void;
  /** Breaks every connection, with what is under way, and leads new ones to another server. */
  leadTo(port: number): void;
  /** The same, and leaves those alone that are there. */
  leadNewTo(port: number): void;
  close(): Promise<void>;
}

export async function startLine(to: number): Promise<Line> {
  const sockets = new Set<Socket>();
  let [target, frozen] = [to, false];
  const server = createServer((near) => {
    const far = connect({ port: target, host: '127.0.0.1' });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      if (frozen) socket.pause();
      socket.setNoDelay(true);
      socket.on('data', (bytes) => void other.write(bytes));
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    if (frozen) for (const socket of [near, far]) socket.pause();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
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
    leadTo(port) {
      target = port;
      breakAll();
    },
    leadNewTo(port) {
      target = port;
    },
    async close() {
      server.close();
      breakAll();
      await once(server, 'close');
    },
  };
}
