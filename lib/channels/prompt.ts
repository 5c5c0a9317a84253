import { displayable } from '../request/display.js';
import type { RequestView } from '../request/view.js';
import type { Prompt } from './channel.js';

/** What a person is told of a request. */
export function promptOf(request: RequestView, link: string | undefined): Prompt {
  const { handle, clientId, clientName, accountId, scope, authorizationDetails, bindingMessage } = request;
  return {
    handle,
    clientId,
    clientName: displayable(clientName ?? clientId, 100),
    accountId,
    scope,
    authorizationDetails,
    bindingMessage: bindingMessage === undefined ? undefined : displayable(bindingMessage),
    expiresAt: request.expiresAt,
    expiresIn: request.expiresIn,
    link,
  };
}
