import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import { handleOf } from '../request/handle.js';
import type { Requests } from '../request/requests.js';

type BackchannelResult = Provider['backchannelResult'];

/**
 * `provider.backchannelResult()` with its signature and its errors, on the plugin's road: the first decision wins, a late one
 * is refused, a denial keeps its description.
 */
export function backchannelResult(provider: Provider, requests: Requests): BackchannelResult {
  return async (given, outcome, details = {}) => {
    const request = await requestOf(provider, given);
    if (!(await provider.Client.find(request.clientId as string))) throw new Error('Client not found');
    const handle = handleOf(request.jti);
    const accountId = request.accountId as string;
    const result = typeof outcome === 'string' && outcome ? await grantOf(provider, outcome) : outcome;

    if (result instanceof errors.OIDCProviderError) {
      const { error, error_description: description } = result;
      await requests.deny(handle, { accountId, error, description: description?.slice(0, 256) });
    } else if (result instanceof provider.Grant) {
      if (request.clientId !== result.clientId) throw new Error('client mismatch');
      if (accountId !== result.accountId) throw new Error('accountId mismatch');
      await requests.approve(handle, { accountId, grantId: result.jti, ...details });
    } else {
      throw new TypeError('invalid "result" argument');
    }
  };
}

type Request = InstanceType<Provider['BackchannelAuthenticationRequest']>;

async function requestOf(provider: Provider, given: unknown): Promise<Request> {
  const Model = provider.BackchannelAuthenticationRequest;
  if (given instanceof Model) return given as Request;
  if (typeof given !== 'string' || !given) throw new TypeError('invalid "request" argument');
  const found = await Model.find(given, { ignoreExpiration: true });
  if (!found) throw new Error('BackchannelAuthenticationRequest not found');
  return found;
}

async function grantOf(provider: Provider, grantId: string): Promise<InstanceType<Provider['Grant']>> {
  const grant = await provider.Grant.find(grantId);
  if (!grant) throw new Error('Grant not found');
  return grant;
}
