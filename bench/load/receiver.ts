import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Endpoints } from '../contenders/clients.js';

/** Where ping clients are told: one endpoint answers at once, one does not answer. */
export class Receiver {
  readonly #server: Server;
  readonly #heard = new Map<string, () => void>();

  constructor() {
    this.#server = createServer(async (req, res) => {
      if (req.url === '/hanging') return;
      let body = '';
      for await (const chunk of req.setEncoding('utf8')) body += chunk;
      res.writeHead(204).end();
      const { auth_req_id: authReqId } = JSON.parse(body) as { auth_req_id: string };
      this.#heard.get(authReqId)?.();
    });
  }

  async listen(): Promise<Endpoints> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const { port } = this.#server.address() as AddressInfo;
    return { prompt: `http://127.0.0.1:${port}/prompt`, hanging: `http://127.0.0.1:${port}/hanging` };
  }

  /** When this request's client is pinged. */
  pingOf(authReqId: string): Promise<void> {
    return new Promise((resolve) => {
      this.#heard.set(authReqId, resolve);
    });
  }
}
