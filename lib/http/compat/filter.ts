import type { Request, RequestHandler, Response } from 'express';
import type Provider from 'oidc-provider';
import type { Client } from 'oidc-provider';
import type { Paths } from '../../provider/attach.js';
import { type CompatUse, isCompat, rememberMessage, subjectOf } from '../../provider/compat.js';
import { FORM, formOf, jsonOf, replaceForm, replaceJson } from '../../provider/form-body.js';
import { UNAVAILABLE } from '../../provider/unavailable.js';
import type { CompatSettings } from '../../settings/compat.js';
import type { Settings } from '../../settings/settings.js';
import { type Endpoint, endpointOf, toOwnPath } from './endpoint-aliases.js';
import { Form } from './form.js';
import { withRealGrant } from './grant-alias.js';
import { withImpliedHint } from './implied-hint.js';
import { withoutNewlines } from './newlines.js';
import { isRegistration, rewriteRegistration } from './registration.js';

/** What the filter is made of. */
export interface CompatParts {
  readonly provider: Provider;
  readonly paths: Paths;
  readonly settings: Settings;
  /** Hears of each deviation from the standard. */
  readonly used: (clientId: string, what: CompatUse) => void;
}

/** RFC 9745: since CIBA Core became final, on 1 September 2021, its own words are there to be used. */
const DEPRECATED_SINCE = '@1630454400';

/**
 * Says a message of the dialect in the words of the standard, in front of everything that looks at it. Nothing is decided here: what goes
 * on is authenticated, checked and answered as every other message. The messages of other clients pass untouched.
 */
export function compatFilter(parts: CompatParts & { readonly compat: CompatSettings }): RequestHandler {
  return (req, res, next) => {
    const endpoint = req.method === 'POST' ? endpointOf(req.path, parts.paths) : undefined;
    if (endpoint === undefined) next();
    else if (endpoint === 'registration')
      registering(req, res, parts).then((goesOn) => goesOn && next(), next);
    else asking(req, res, endpoint, parts).then(() => next(), next);
  };
}

async function asking(
  req: Request,
  res: Response,
  endpoint: Exclude<Endpoint, 'registration'>,
  { provider, paths, settings, used }: CompatParts,
): Promise<void> {
  if (!FORM.test(req.headers['content-type'] ?? '')) return;
  const raw = await formOf(req);
  if (raw === undefined) return;
  const text = req.readable ? withoutNewlines(raw) : raw;
  const given = new Form(text);
  const client = await clientOf(provider, basicId(req) ?? given.get('client_id'));
  if (!client || !isCompat(client, settings)) return;
  const clientId = String(client.clientId);
  const granted = withRealGrant(given);
  const form = endpoint === 'backchannel' ? withImpliedHint(granted, subjectOf(client, settings)) : granted;
  const own = paths[endpoint];
  const uses: Readonly<Record<Exclude<CompatUse, 'registration'>, boolean>> = {
    form_newlines: text !== raw,
    grant_alias: granted !== given,
    implied_hint: form !== granted,
    user_code:
      endpoint === 'backchannel' && form.has('user_code') && client['backchannelUserCodeParameter'] !== true,
    endpoint_alias: own !== req.path,
  };
  rememberMessage(req, { notificationToken: given.get('client_notification_token') });
  if (String(form) !== raw) replaceForm(req, String(form));
  if (uses.endpoint_alias) toOwnPath(req, res, own);
  for (const [what, isUsed] of Object.entries(uses)) if (isUsed) used(clientId, what as CompatUse);
  if (Object.values(uses).includes(true)) res.set('Deprecation', DEPRECATED_SINCE);
}

/** Whether it goes on; otherwise it is answered. */
async function registering(
  req: Request,
  res: Response,
  { provider, paths, compat, used }: CompatParts & { readonly compat: CompatSettings },
): Promise<boolean> {
  const own = paths.registration;
  const given = own !== undefined && req.is('application/json') ? await jsonOf(req) : undefined;
  if (own === undefined || !given || !isRegistration(given)) return true;
  // What a client adapter says when it fails is for the log.
  const rewritten = await rewriteRegistration(given, { provider, paths, compat }).catch(() => UNAVAILABLE);
  res.set('Deprecation', DEPRECATED_SINCE);
  if ('error' in rewritten) {
    const { status, ...answer } = rewritten;
    res.status(status).set('Cache-Control', 'no-store').json(answer);
    return false;
  }
  const { clientId, secret, metadata } = rewritten;
  rememberMessage(req, { registration: { clientId, secret } });
  replaceJson(req, metadata);
  if (req.path !== own) toOwnPath(req, res, own);
  used(clientId, 'registration');
  return true;
}

/** A client that cannot be found, or looked up, is the provider's to answer. */
async function clientOf(provider: Provider, clientId: string | undefined): Promise<Client | undefined> {
  try {
    return clientId ? await provider.Client.find(clientId) : undefined;
  } catch {
    return undefined;
  }
}

/** The client that the `Authorization` header names (RFC 6749 2.3.1). */
function basicId(req: Request): string | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(req.headers.authorization ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const id = Buffer.from(encoded, 'base64').toString().split(':', 1)[0] ?? '';
  try {
    return decodeURIComponent(id.replace(/\+/g, '%20'));
  } catch {
    return undefined;
  }
}
