/** The requests of clients and people, as bytes of HTTP. */
import { handleOf } from '../../lib/request/handle.js';
import { accountOf, authReqIdOf, basicOf, CIBA_GRANT, clientOf } from '../population.js';
import type { Assertions } from './assertions.js';

const FORM = 'application/x-www-form-urlencoded';
const GRANT = `grant_type=${encodeURIComponent(CIBA_GRANT)}`;
const ASSERTION_TYPE = encodeURIComponent('urn:ietf:params:oauth:client-assertion-type:jwt-bearer');

const post = (path: string, body: string, headers: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: op.example\r\nContent-Type: ${FORM}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

const authorization = (clientId: string): string => `Authorization: ${basicOf(clientId)}\r\n`;
const assertion = (clientId: string, assertions: Assertions): string =>
  `&client_assertion_type=${ASSERTION_TYPE}&client_assertion=${assertions.of(clientId)}`;

/** A poll of a client with a secret. */
export const poll = (authReqId: string, clientId: string, headers = ''): string =>
  post('/token', `${GRANT}&auth_req_id=${authReqId}`, `${authorization(clientId)}${headers}`);

/** By how the client authenticates, or by the floor, which is told the handle. */
export type PollKind = 'secret' | 'assertion' | 'floor';

/** The polls of the requests with these numbers. */
export const POLLS: Readonly<Record<PollKind, (request: number, assertions: Assertions) => string>> = {
  secret: (request) => poll(authReqIdOf(request), clientOf('secret', request)),
  floor: (request) => poll(handleOf(authReqIdOf(request)), clientOf('secret', request)),
  assertion: (request, assertions) => {
    const credentials = assertion(clientOf('assertion', request), assertions);
    return post('/token', `${GRANT}&auth_req_id=${authReqIdOf(request)}${credentials}`, '');
  },
};

const asking = (person: number): string => `scope=openid&login_hint=${accountOf(person)}`;

/** A client with a secret asks for a person. */
export const ask = (clientId: string, person: number, more = ''): string =>
  post('/backchannel', `${asking(person)}${more}`, authorization(clientId));

/** The same for a client that signs. */
export const askByAssertion = (clientId: string, person: number, assertions: Assertions): string =>
  post('/backchannel', `${asking(person)}${assertion(clientId, assertions)}`, '');

/** That person says yes. */
export const approve = (authReqId: string, person: number): string =>
  post(`/approve?auth_req_id=${authReqId}&account=${accountOf(person)}`, '', '');
