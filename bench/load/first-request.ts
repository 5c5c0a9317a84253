import type { ClientKind } from '../population.js';
import { clientOf } from '../population.js';
import type { Assertions } from './assertions.js';
import { onConnections } from './connection.js';
import { acknowledged } from './flow.js';
import { ask, askByAssertion } from './requests.js';

export interface FirstRequestTask {
  readonly port: number;
  readonly kind: Exclude<ClientKind, 'ping'>;
  readonly person: number;
}

/** Asks as anybody does, for the pattern of all the pending requests of a measurement: its `auth_req_id`. */
export async function firstRequest(
  { port, kind, person }: FirstRequestTask,
  assertions: Assertions,
): Promise<string> {
  const clientId = clientOf(kind, 0);
  const request = kind === 'assertion' ? askByAssertion(clientId, person, assertions) : ask(clientId, person);
  let authReqId = '';
  await onConnections(port, 1, async ([connection]) => {
    if (connection) authReqId = acknowledged(await connection.send(request));
  });
  return authReqId;
}
