import type { CibaOptions } from 'oidc-provider-ciba';
import type { PhoneSession } from './phone-session.js';

/**
 * What the decision page asks: who has opened its link. That is whoever is signed in on the phone page in this browser. Somebody else may
 * use a passkey on the decision page itself, or be sent to the sign-in, which leads back.
 */
export function signedInOrSent(session: PhoneSession): NonNullable<CibaOptions['interaction']> {
  return (req, res, { returnTo, login }) => {
    const decider = session.read(req);
    if (!decider && login) res.redirect(303, `/phone/sign-in?return=${encodeURIComponent(returnTo)}`);
    return decider;
  };
}
