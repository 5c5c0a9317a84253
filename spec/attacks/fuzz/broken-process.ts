/**
 * The control: a small server that answers as the plugin's does, but for the one fault that FAULT names. The fuzzer has to find each, and
 * nothing where there is none.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { unescape as decoded } from 'node:querystring';
import { text } from 'node:stream/consumers';
import { answerFuzzer } from './answer-fuzzer.js';

const { FAULT } = process.env;
const kept: string[] = [];

function refuse(res: ServerResponse, description: string, status = 400, more: object = {}): void {
  const body = JSON.stringify({ error: 'invalid_request', error_description: description, ...more });
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(body);
}

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const body = await text(req);
  const type = req.headers['content-type'] ?? '';
  const form = new URLSearchParams(body);
  const names = [...form.keys()];
  if (FAULT === 'error' && new Set(names).size < names.length) refuse(res, 'twice', 500);
  else if (FAULT === 'reflection' && /^[ -~]+$/.test(form.get('login_hint') ?? ''))
    refuse(res, `nobody is ${form.get('login_hint')}`);
  else if (FAULT === 'page')
    res.writeHead(200, { 'content-type': 'text/html' }).end(`<p>${decoded(body)}</p>`);
  else if (FAULT === 'stack' && req.url?.includes('%ff')) refuse(res, String(new Error('bad path').stack));
  else if (FAULT === 'crash' && /charset=\S*zq/.test(type)) setImmediate(() => JSON.parse('{'));
  else if (FAULT === 'rejection' && req.method === 'PATCH') {
    Promise.reject(new Error('nobody has caught it'));
    refuse(res, 'no such method');
  } else if (FAULT === 'silence' && type.startsWith('multipart')) return;
  else if (FAULT === 'prototype' && names.includes('__proto__[x]')) {
    (Object.prototype as { x?: string }).x = 'polluted';
    refuse(res, 'merged');
  } else if (FAULT === 'envelope') refuse(res, 'no', 400, { state: 'more' });
  else if (FAULT === 'cache')
    res.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_request"}');
  else {
    if (FAULT === 'memory') kept.push(Buffer.alloc(100_000, body || 'x').toString('latin1'));
    refuse(res, 'no');
  }
}

const listener = createServer((req, res) => {
  answer(req, res).catch(() => res.destroy());
}).listen(0, '127.0.0.1', () => {
  answerFuzzer((listener.address() as AddressInfo).port, { linkOf: () => undefined, advance: () => {} });
});
// A connection that the fuzzer has not used for a moment is no fault.
listener.keepAliveTimeout = 600_000;
