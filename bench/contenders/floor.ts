import { Redis } from 'ioredis';
import { scripts } from '../../lib/store/scripts.js';
import { basicOf, CLIENTS, clientOf } from '../population.js';
import type { Contender, ContenderSpec } from './contender.js';

const HANDLE = /auth_req_id=([\w-]+)/;
const PENDING = Buffer.from('{"error":"authorization_pending"}');
/** What the script is told of the throttle, and of the claim that it would make. */
const [SLOW_DOWN_STEP, LEEWAY, LEASE] = [5_000, 500, 5_000];

/**
 * What no server can do without: it reads the body, runs the script of a poll, and writes an answer that is there already. It checks
 * nothing else, and is told the handle of a request in place of its `auth_req_id`.
 */
export function floor({ redisPort }: ContenderSpec): Contender {
  const redis = new Redis(redisPort);
  const { lua, numberOfKeys } = scripts.poll;
  const digest = redis.script('LOAD', lua) as Promise<string>;
  const poll = async (...args: (string | number)[]): Promise<unknown[]> =>
    (await redis.evalsha(await digest, numberOfKeys, ...args)) as unknown[];
  const clients = new Map(
    Array.from({ length: CLIENTS.secret }, (_, index) => clientOf('secret', index)).map((id) => [
      basicOf(id),
      id,
    ]),
  );
  let operation = 0;
  return {
    listener: (req, res) => {
      let body = '';
      req.setEncoding('latin1').on('data', (chunk: string) => {
        body += chunk;
      });
      req.on('end', async () => {
        const [, handle] = HANDLE.exec(body) ?? [];
        const client = clients.get(req.headers.authorization ?? '');
        operation += 1;
        const throttle = [SLOW_DOWN_STEP, LEEWAY];
        const [status] = await poll(
          `ciba:{${handle}}`,
          0,
          String(client),
          operation,
          ...throttle,
          operation,
          LEASE,
        );
        const answer = status === 'pending' ? PENDING : Buffer.from(`{"error":"${status}"}`);
        res.writeHead(400, { 'Content-Type': 'application/json', 'Content-Length': answer.length });
        res.end(answer);
      });
    },
  };
}
