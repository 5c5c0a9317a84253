/**
 * One server process of the prompt crash spec, on the Redis of REDIS_URL. Its channel writes what it sends and takes away into Redis lists, so
 * that it outlives the process. Besides the provider it answers to the spec alone: /crash (the process kills itself at the named point of
 * a request), /decide and /clock.
 *
 * A point is a step that is awaited between the request and the end of its prompting, `>` where it begins and `<` where it has ended.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Redis } from 'ioredis';
import Provider from 'oidc-provider';
import { type Channel, createCiba } from 'oidc-provider-ciba';
import { redisAdapter } from '../../example-app/redis-adapter.js';
import { answersFailures } from '../support/answers-failures.js';
import { scriptNameOf } from '../support/script-name.js';
import { raceConfiguration } from './race-configuration.js';

const { REDIS_URL } = process.env as Record<'REDIS_URL', string>;
let offset = 0;
let crashAt: string | undefined;

function pass(point: string): void {
  process.send?.({ point });
  if (point === crashAt) process.kill(process.pid, 'SIGKILL');
}

/** The scripts that a request and its prompts are written with. */
const STEPS: ReadonlySet<string | undefined> = new Set(['ask', 'conclude', 'advance', 'schedule']);
const send = Redis.prototype.sendCommand;
Redis.prototype.sendCommand = function sendCommand(command, stream) {
  const step = scriptNameOf(command.args);
  if (!STEPS.has(step)) return send.call(this, command, stream);
  pass(`> ${step}`);
  return (send.call(this, command, stream) as Promise<unknown>).then((reply) => {
    pass(`< ${step}`);
    return reply;
  });
};

const redis = new Redis(REDIS_URL);
const inbox: Channel = {
  name: 'inbox',
  async send({ handle }) {
    pass('> send');
    await redis.rpush(`sent:${handle}`, 'sent');
    pass('< send');
  },
  async dismiss({ handle }) {
    pass('> dismiss');
    await redis.rpush(`dismissed:${handle}`, 'dismissed');
    pass('< dismiss');
  },
};
const ciba = createCiba({
  redis,
  limits: false,
  resolveLoginHint: (hint) => hint,
  channels: [inbox],
  timeOffset: () => offset,
});
const provider = new Provider(
  'http://127.0.0.1',
  ciba.configure(raceConfiguration(redisAdapter(redis), () => {})),
);
const app = express();
app.post('/crash', (req, res) => {
  crashAt = String(req.query['at']);
  res.json({});
});
app.post('/clock', (req, res) => {
  offset = Number(req.query['offset']);
  res.json({});
});
app.post(
  '/decide',
  answersFailures(async (req, res) => {
    await ciba.requests.deny(ciba.requests.handleOf(String(req.query['auth_req_id'])), {
      accountId: 'alice',
    });
    pass('decided');
    res.json({});
  }),
);
app.use(ciba.router(provider));
app.use(provider.callback());
const listener = createServer(app).listen(0, '127.0.0.1', () => {
  process.send?.({ port: (listener.address() as AddressInfo).port });
});
// The spec's process is this one's reason to be.
process.on('disconnect', () => process.exit(0));
