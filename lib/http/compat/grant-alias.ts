import { CIBA_GRANT } from '../../provider/names.js';
import type { Form } from './form.js';

/** What the dialect calls the grant type of CIBA, as if the IETF had registered it. No other spelling is taken. */
export const GRANT_ALIAS = 'urn:ietf:params:oauth:grant-type:ciba';

/** The real grant type in the place of the dialect's. */
export function withRealGrant(form: Form): Form {
  return form.get('grant_type') === GRANT_ALIAS
    ? form.replacing('grant_type', GRANT_ALIAS, CIBA_GRANT)
    : form;
}

/** The same for the grant types that a client registers. */
export function realGrants(grants: readonly unknown[]): readonly unknown[] {
  return grants.map((grant) => (grant === GRANT_ALIAS ? CIBA_GRANT : grant));
}
