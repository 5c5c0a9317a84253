import type Provider from 'oidc-provider';
import { CibaError } from '../errors.js';
import type { GrantFor } from '../request/requests.js';

/** The grant of an approval: the server's own, if it fits the request, or one of what was asked for and nothing beside it. */
export function grantFor(provider: () => Provider): GrantFor {
  return async (request, scope, grantId) => {
    const { Grant } = provider();
    const { accountId, clientId, claims, resources, authorizationDetails } = request;
    if (grantId !== undefined) {
      const theirs = await Grant.find(grantId);
      if (theirs?.accountId !== accountId || theirs.clientId !== clientId) {
        throw new CibaError('invalid_decision', 'grantId must be of a grant of the same account and client');
      }
      return { grantId, discard: async () => {} };
    }
    const grant = new Grant({ accountId, clientId });
    grant.addOIDCScope(scope);
    if (claims.length > 0) grant.addOIDCClaims([...claims]);
    for (const resource of resources) grant.addResourceScope(resource, scope);
    for (const detail of authorizationDetails) grant.addRar({ ...detail });
    // A grant that lost to another decision, and cannot be undone now, ends by itself.
    return { grantId: await grant.save(), discard: () => grant.destroy().catch(() => {}) };
  };
}
