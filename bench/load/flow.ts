import type { Answer, Connection } from './connection.js';
import { approve, ask, poll } from './requests.js';

/** A request that was acknowledged. */
export interface Asked {
  readonly authReqId: string;
  readonly clientId: string;
  readonly person: number;
}

export async function asked(
  connection: Connection,
  clientId: string,
  person: number,
  more?: string,
): Promise<Asked> {
  const answer = await connection.send(ask(clientId, person, more));
  return { authReqId: acknowledged(answer), clientId, person };
}

export async function approved(connection: Connection, { authReqId, person }: Asked): Promise<void> {
  ok(await connection.send(approve(authReqId, person)));
}

export async function redeemed(connection: Connection, request: Asked, headers?: string): Promise<void> {
  checkTokens(await connection.send(poll(request.authReqId, request.clientId, headers)));
}

/** The `auth_req_id` of an acknowledgement. */
export function acknowledged(answer: Answer): string {
  return (JSON.parse(ok(answer).body) as { auth_req_id: string }).auth_req_id;
}

export function checkTokens(answer: Answer): void {
  if (!ok(answer).body.includes('"access_token"')) throw new Error(`no tokens: ${answer.body}`);
}

function ok(answer: Answer): Answer {
  if (answer.status !== 200) throw new Error(`answered ${answer.status} ${answer.body}`);
  return answer;
}
