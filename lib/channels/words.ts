import type { Prompt } from './channel.js';

/** One line that says who asks, fit for a lock screen: nothing of what is asked for (CIBA Core 15). */
export const askedBy = ({ clientName }: Prompt): string => `${clientName} asks for your approval`;

/** Time left in words. */
export function timeLeft({ expiresIn }: Prompt): string {
  const minutes = Math.max(1, Math.floor(expiresIn / 60));
  return expiresIn < 60 ? 'less than a minute' : minutes === 1 ? 'one minute' : `${minutes} minutes`;
}
