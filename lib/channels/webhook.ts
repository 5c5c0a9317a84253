import { createHmac } from 'node:crypto';
import { invalidOption } from '../errors.js';
import type { OutgoingOptions } from '../settings/delivery.js';
import type { Channel, Prompt } from './channel.js';
import { Poster } from './poster.js';

/** The options of {@link webhook}. */
export interface WebhookOptions extends OutgoingOptions {
  /** Where to post, https. */
  readonly url: string;
  /**
   * What the messages are signed with: `whsec_` and 24 to 64 bytes in base64, as the Standard Webhooks rules have it. Of a list each signs, so
   * that a secret can be changed without a gap.
   */
  readonly secret: string | readonly string[];
  /** The name in the chain. Default `webhook`. */
  readonly name?: string | undefined;
}

/** What a message says. `ciba.prompt`: this waits for that person. `ciba.dismiss`: it does not any more. */
type MessageType = 'ciba.prompt' | 'ciba.dismiss';

/**
 * Tells a system of the server's own, which reaches the person: a JSON message, signed by the Standard Webhooks rules (standardwebhooks.com) in
 * the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. A repeat has the same id.
 *
 * An answer of 410 counts as `gone`, any other but 408, 425, 429 and 5xx as `refused`. Redirects are not followed.
 * @throws {CibaError} `invalid_option`, naming what is wrong
 */
export function webhook(options: WebhookOptions): Channel {
  const { url, secret, name = 'webhook' } = options;
  const keys = [secret].flat().map(keyOf);
  if (keys.length === 0) throw invalidOption('webhook.secret', NOT_A_SECRET);
  const poster = new Poster(name, options);
  poster.check('url', url);
  const post = (type: MessageType, prompt: Prompt, signal: AbortSignal): Promise<void> => {
    const now = new Date();
    const id = `${type}.${prompt.handle}`;
    const body = JSON.stringify({ type, timestamp: now.toISOString(), data: dataOf(prompt) });
    return poster.post({ url, headers: signed(id, now, body, keys), body, signal });
  };
  return {
    name,
    send: (prompt, signal) => post('ciba.prompt', prompt, signal),
    dismiss: (prompt, signal) => post('ciba.dismiss', prompt, signal),
    close: () => poster.close(),
  };
}

function signed(id: string, now: Date, body: string, keys: readonly Buffer[]): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signatures = keys.map((key) =>
    createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64'),
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.map((signature) => `v1,${signature}`).join(' '),
  };
}

const NOT_A_SECRET = 'must be whsec_ and 24 to 64 bytes in base64, or a list of such';

function keyOf(secret: string): Buffer {
  const [, encoded = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(String(secret)) ?? [];
  const key = Buffer.from(encoded, 'base64');
  if (key.length < 24 || key.length > 64) throw invalidOption('webhook.secret', NOT_A_SECRET);
  return key;
}

function dataOf(prompt: Prompt): object {
  return {
    handle: prompt.handle,
    account_id: prompt.accountId,
    client_id: prompt.clientId,
    client_name: prompt.clientName,
    scope: prompt.scope,
    claims: prompt.claims,
    binding_message: prompt.bindingMessage,
    authorization_details: prompt.authorizationDetails,
    expires_at: prompt.expiresAt.toISOString(),
    expires_in: prompt.expiresIn,
    link: prompt.link,
  };
}
