import { ChannelError, type ChannelFailure, type Prompt } from 'oidc-provider-ciba';
import { EVERY_HOSTILE_TEXT } from '../support/hostile-texts.js';

/** Whatever is sent: nobody aborts it. */
export const signal: AbortSignal = new AbortController().signal;

/** Texts that would do harm where somebody takes them for more than text. */
export const HOSTILE: readonly string[] = EVERY_HOSTILE_TEXT.map(([, text]) => text);

/** A prompt as a channel gets it. */
export function promptOf(differences: Partial<Prompt> = {}): Prompt {
  return {
    handle: 'abcdefghijklmnopqrstuv',
    clientId: 'till',
    clientName: 'Corner shop till',
    accountId: 'alice',
    scope: 'openid profile',
    claims: ['birthdate'],
    authorizationDetails: [{ type: 'payment', amount: '12.50' }],
    bindingMessage: 'Pay 12.50 EUR, code 4F7K',
    expiresAt: new Date('2030-01-01T12:05:00Z'),
    expiresIn: 290,
    link: 'https://op.example/ciba/decide/abcdefghijklmnopqrstuv.0123456789012345678901',
    ...differences,
  };
}

/** Why a channel failed; nothing where it did not. */
export async function failureOf(sending: Promise<void>): Promise<ChannelFailure | undefined> {
  try {
    await sending;
    return undefined;
  } catch (error) {
    if (error instanceof ChannelError) return error.reason;
    throw error;
  }
}
