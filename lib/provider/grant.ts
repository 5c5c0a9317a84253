import type Provider from 'oidc-provider';
import type { IssueGrant } from '../request/requests.js';

/** Makes the grant of an approval: what was asked for and granted, nothing beside it. */
export function grantIssuer(provider: () => Provider): IssueGrant {
  return async ({ accountId, clientId, claims, resources, authorizationDetails }, scope) => {
    const { Grant } = provider();
    const grant = new Grant({ accountId, clientId });
    grant.addOIDCScope(scope);
    if (claims.length > 0) grant.addOIDCClaims([...claims]);
    for (const resource of resources) grant.addResourceScope(resource, scope);
    for (const detail of authorizationDetails) grant.addRar({ ...detail });
    const grantId = await grant.save();
    return { grantId, discard: () => grant.destroy() };
  };
}
