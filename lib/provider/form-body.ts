import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';

/** What Express adds: the URL that a request had before it was mounted, and a body that somebody has parsed. */
export interface Incoming extends IncomingMessage {
  originalUrl?: string;
  body?: unknown;
}

/** The content type of a form whose bytes are as they were sent. */
export const FORM: RegExp = /^application\/x-www-form-urlencoded *(; *charset="?utf-8"?)?$/i;

/** The largest body that is looked at, in bytes: as much as oidc-provider reads. */
const LARGEST = 56 * 1024;

/** The body of a form, which stays there to be read; nothing where it is too large. */
export async function formOf(req: Incoming): Promise<string | undefined> {
  if (req.readable) return (await peek(req))?.toString();
  // Where the server has parsed it before, oidc-provider takes what came of that.
  const { body } = req;
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body.toString();
  return new URLSearchParams((body ?? {}) as Record<string, string>).toString();
}

/** The members of a JSON object in a body, which stays there to be read; nothing where there is none, or it is too large. */
export async function jsonOf(req: Incoming): Promise<Readonly<Record<string, unknown>> | undefined> {
  const body = req.readable ? (await peek(req))?.toString() : req.body;
  const value = typeof body === 'string' ? parsed(body) : Buffer.isBuffer(body) ? undefined : body;
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}

/** Puts a form in the place of the one that was looked at. */
export function replaceForm(req: Incoming, form: string): void {
  if (req.readable) replace(req, form);
  else req.body = typeof req.body === 'string' || Buffer.isBuffer(req.body) ? form : parse(form);
}

/** Puts a JSON object in the place of the one that was looked at. */
export function replaceJson(req: Incoming, value: object): void {
  if (req.readable) replace(req, JSON.stringify(value));
  else req.body = typeof req.body === 'string' ? JSON.stringify(value) : value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** All of it was put back as it had been read, so all of it is there now. */
function replace(req: IncomingMessage, text: string): void {
  const bytes = Buffer.from(text);
  while (req.read() !== null);
  // In the same turn, as in `peek`.
  req.unshift(bytes);
  if (req.headers['content-length'] !== undefined) req.headers['content-length'] = String(bytes.length);
}

/** Reads a body and puts it back. */
function peek(req: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  const announced = Number(req.headers['content-length'] ?? Number.NaN);
  let length = 0;
  return new Promise((resolve) => {
    const done = (): void => {
      req.off('readable', look).off('close', done).off('error', done);
      resolve(length > LARGEST ? undefined : Buffer.concat(chunks));
    };
    const look = (): void => {
      for (let chunk = req.read(); chunk !== null; chunk = req.read()) {
        chunks.push(chunk);
        length += chunk.length;
      }
      if (length <= LARGEST && length !== announced && !req.complete) return;
      // In the same turn as the last look: a stream whose end was told takes nothing back.
      if (length > 0) req.unshift(Buffer.concat(chunks));
      done();
    };
    req.on('readable', look).on('close', done).on('error', done);
    look();
  });
}
