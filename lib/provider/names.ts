/** The grant type of CIBA (CIBA Core 4). */
export const CIBA_GRANT = 'urn:openid:params:grant-type:ciba';

/** What oidc-provider calls the routes that the plugin has to do with. */
export const BACKCHANNEL_ROUTE = 'backchannel_authentication';
export const TOKEN_ROUTE = 'token';

/** The model whose adapter is the plugin's. */
export const REQUEST_MODEL = 'BackchannelAuthenticationRequest';
