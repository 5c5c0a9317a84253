import type { IncomingMessage } from 'node:http';
import type { Client, ClientMetadata } from 'oidc-provider';
import { type CompatSettings, isWeakSecret, LEAST_SECRET } from '../settings/compat.js';
import type { Settings } from '../settings/settings.js';
import { isFapi } from './profile.js';

/** Client metadata: whether the client speaks the dialect that the option `compat` accepts. */
export const COMPAT = 'ciba_compat';

/** Client metadata: the `login_hint` that stands for this client where it sends no hint. */
export const COMPAT_SUBJECT = 'ciba_compat_subject';

export type { CompatUse } from '../events.js';

/** What the filter in front of the provider has found out about a request of the dialect. */
export interface CompatMessage {
  /** A registration that was approved beforehand: what it is given. */
  readonly registration?: { readonly clientId: string; readonly secret: string };
  /** The `client_notification_token`, which oidc-provider forgets of a client that polls. */
  readonly notificationToken?: string | undefined;
}

const messages = new WeakMap<IncomingMessage, CompatMessage>();

/** Remembers what was found out about a request. */
export function rememberMessage(req: IncomingMessage, message: CompatMessage): void {
  messages.set(req, message);
}

/** What was found out about a request, where it is one of the dialect. */
export function messageOf(req: IncomingMessage): CompatMessage | undefined {
  return messages.get(req);
}

/** Whether a client speaks the dialect, here and now. One that is held to a profile never does. */
export function isCompat(client: Client | undefined, settings: Settings): boolean {
  return settings.compat !== undefined && client?.[COMPAT] === true && !isFapi(client, settings);
}

/** The login hint that an administrator has bound to a client: never anything that came with a request. */
export function subjectOf(client: Client, { compat }: Settings): string | undefined {
  return (
    (client[COMPAT_SUBJECT] as string | undefined) ?? approvalOf(compat, String(client.clientId))?.subject
  );
}

/** What was approved beforehand for a client of this id. */
export function approvalOf(
  compat: CompatSettings | undefined,
  clientId: string,
): CompatSettings['preapproved'][string] | undefined {
  return compat && Object.hasOwn(compat.preapproved, clientId) ? compat.preapproved[clientId] : undefined;
}

/** What is wrong with the dialect's metadata of a client; nothing where it is right, or the dialect is off. */
export function compatProblem(
  metadata: ClientMetadata,
  registersItself: boolean,
  settings: Settings,
): string | undefined {
  const { [COMPAT]: flag, [COMPAT_SUBJECT]: subject, client_id: id, client_secret: secret } = metadata;
  if (subject !== undefined && registersItself) return `${COMPAT_SUBJECT} cannot be registered`;
  if (flag !== undefined && registersItself && !approvalOf(settings.compat, id))
    return `${COMPAT} cannot be registered`;
  if (flag !== undefined && typeof flag !== 'boolean') return `${COMPAT} must be true or false`;
  if (subject !== undefined && (typeof subject !== 'string' || subject === ''))
    return `${COMPAT_SUBJECT} must be a login hint`;
  if (flag !== true || !settings.compat) return undefined;
  if (isFapi(metadata, settings)) return `${COMPAT} must not be true for a client of the profile`;
  return secret !== undefined && isWeakSecret(secret, settings.compat)
    ? `client_secret must have at least ${LEAST_SECRET} characters, 128 bits, for a client with ${COMPAT}`
    : undefined;
}
