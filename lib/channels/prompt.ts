import { askerOf, displayable } from '../request/display.js';
import type { RequestView } from '../request/view.js';
import type { Prompt } from './channel.js';

/** What a person is told of a request. */
export function promptOf(request: RequestView, link: string | undefined): Prompt {
  const { handle, clientId, accountId, scope, claims, authorizationDetails, bindingMessage } = request;
  return {
    handle,
    clientId,
    clientName: askerOf(request),
    accountId,
    scope,
    claims,
    authorizationDetails,
    bindingMessage: bindingMessage === undefined ? undefined : displayable(bindingMessage),
    expiresAt: request.expiresAt,
    expiresIn: request.expiresIn,
    link,
  };
}
