import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { readAtOnce } from '../../lib/provider/arrived-body.js';

const HEAD = 'POST / HTTP/1.1\r\nHost: localhost\r\n';

/** As oidc-provider reads a body. */
async function read(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** A server that hands each request to `handle` and answers what comes of it, and a connection to it. */
async function serving<T>(
  handle: (req: IncomingMessage) => Promise<string>,
  use: (socket: Socket, answer: () => Promise<string>) => Promise<T>,
): Promise<T> {
  const server = createServer((req, res) => {
    readAtOnce(req);
    handle(req).then(
      (said) => res.end(said),
      (error: Error) => res.writeHead(500).end(error.message),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('latin1');
  const answer = async (): Promise<string> => {
    const [text] = (await once(socket, 'data')) as [string];
    return text.slice(text.indexOf('\r\n\r\n') + 4);
  };
  try {
    await once(socket, 'connect');
    return await use(socket, answer);
  } finally {
    socket.destroy();
    server.close();
  }
}

describe('a body on its way to oidc-provider', () => {
  it('is handed over at once where it came with its head, and ends as any other', async () => {
    const seen: string[] = [];
    await serving(
      async (req) => {
        const ended = once(req, 'end');
        const reading = read(req);
        await Promise.resolve();
        // What the stream's own iterator would wait for.
        seen.push(`listeners: ${req.listenerCount('readable')}`);
        const body = await reading;
        await ended;
        return body;
      },
      async (socket, answer) => {
        for (const text of ['one', 'another']) {
          socket.write(`${HEAD}Content-Length: ${text.length}\r\n\r\n${text}`);
          expect(await answer()).toBe(text);
        }
      },
    );
    expect(seen).toEqual(['listeners: 0', 'listeners: 0']);
  });

  it('is waited for where it comes later, in pieces, or without a length', async () => {
    await serving(read, async (socket, answer) => {
      socket.write(`${HEAD}Content-Length: 6\r\n\r\nabc`);
      setImmediate(() => socket.write('def'));
      expect(await answer()).toBe('abcdef');
      socket.write(`${HEAD}Content-Length: 3\r\n\r\n`);
      setImmediate(() => socket.write('ghi'));
      expect(await answer()).toBe('ghi');
      socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\njkl\r\n3\r\nmno\r\n0\r\n\r\n`);
      expect(await answer()).toBe('jklmno');
    });
  });

  it('is the rest of it where somebody has read some before, and what they put back', async () => {
    const part = async (req: IncomingMessage): Promise<string> => {
      await once(req, 'readable');
      const first = req.read(3) as Buffer;
      const rest = await read(req);
      return `${first}|${rest}`;
    };
    await serving(part, async (socket, answer) => {
      socket.write(`${HEAD}Content-Length: 6\r\n\r\nabcdef`);
      expect(await answer()).toBe('abc|def');
    });
    const putBack = async (req: IncomingMessage): Promise<string> => {
      await new Promise(process.nextTick);
      req.unshift(req.read(6) as Buffer);
      return read(req);
    };
    await serving(putBack, async (socket, answer) => {
      socket.write(`${HEAD}Content-Length: 6\r\n\r\nabcdef`);
      expect(await answer()).toBe('abcdef');
    });
  });

  it('is nothing where there is none', async () => {
    await serving(
      async (req) => `${(await read(req)).length} bytes`,
      async (socket, answer) => {
        for (const head of ['Content-Length: 0\r\n', '', 'Content-Length: 0\r\n']) {
          socket.write(`${HEAD}${head}\r\n`);
          expect(await answer()).toBe('0 bytes');
        }
      },
    );
  });

  it('fails where the client goes before it has come', async () => {
    const failed = new Promise<string>((resolve) => {
      void serving(
        (req) =>
          read(req).catch((error: Error) => {
            resolve((error as NodeJS.ErrnoException).code ?? error.message);
            return '';
          }),
        async (socket) => {
          socket.write(`${HEAD}Content-Length: 6\r\n\r\nabc`);
          setImmediate(() => socket.destroy());
          await failed;
        },
      );
    });
    expect(await failed).toBe('ECONNRESET');
  });

  it('may be left by whoever has read enough', async () => {
    const enough = async (req: IncomingMessage): Promise<string> => {
      for await (const chunk of req.iterator({ destroyOnReturn: false })) return String(chunk);
      return 'nothing';
    };
    await serving(enough, async (socket, answer) => {
      socket.write(`${HEAD}Content-Length: 3\r\n\r\nabc`);
      expect(await answer()).toBe('abc');
      socket.write(`${HEAD}Content-Length: 6\r\n\r\n`);
      setImmediate(() => socket.write('abc'));
      expect(await answer()).toBe('abc');
    });
  });
});
