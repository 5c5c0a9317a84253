/**
 * An agent that may not spend money by itself: it plans a purchase, asks the person whose money it is, and pays only what they have
 * agreed to. `ISSUER` and `LOGIN_HINT` say where and whom; with `AUTO_APPROVE=1` it agrees by itself through `/demo/decide`.
 */
import * as client from 'openid-client';
import { agent } from '../clients.js';
import { PAYMENTS_API } from '../payments.js';

const issuer = process.env['ISSUER'] || 'http://localhost:3000';
const loginHint = process.env['LOGIN_HINT'] || 'alice';
const autoApprove = process.env['AUTO_APPROVE'] === '1';

/** What the agent has come to, and what the person is asked. */
const payment = { type: 'payment', amount: '12.50', currency: 'EUR', payee: 'ACME' } as const;

async function run(): Promise<void> {
  console.log(`Plan: order 500 screws at ${payment.payee} for ${payment.amount} ${payment.currency}`);
  const config = await discover();
  const asked = await client.initiateBackchannelAuthentication(config, {
    scope: 'openid',
    login_hint: loginHint,
    binding_message: `Pay ${payment.amount} ${payment.currency} to ${payment.payee}`,
    resource: PAYMENTS_API,
    authorization_details: JSON.stringify([payment]),
  });
  console.log(`Asked ${loginHint}, and waits up to ${asked.expires_in} s`);
  if (autoApprove) await approve(asked.auth_req_id);
  else console.log(`Open ${issuer}/phone, sign in as ${loginHint} and decide`);

  const tokens = await client.pollBackchannelAuthenticationGrant(config, asked, { resource: PAYMENTS_API });
  const claims = tokens.claims();
  if (!claims) throw new Error('The server sent no ID Token.');
  if (!isWhatWasAsked(tokens.authorization_details)) {
    throw new Error('The tokens are for something else than what was asked.');
  }
  console.log(`Agreed: sub=${claims.sub} acr=${claims['acr'] ?? 'none'}, for exactly this payment`);
  console.log(`Paid: receipt ${await pay(tokens.access_token)}`);
}

async function discover(): Promise<client.Configuration> {
  const metadata = { client_secret: agent.secret };
  return client.discovery(new URL(issuer), agent.id, metadata, client.ClientSecretBasic(agent.secret), {
    // The first is for a laptop, whose server speaks http: leave it out elsewhere. The second has the ID Token's signature checked.
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
  });
}

/** Whether the token is for the payment that was planned, and for that alone. */
function isWhatWasAsked(details: unknown): boolean {
  if (!Array.isArray(details) || details.length !== 1) return false;
  const agreed = details[0] as Record<string, unknown>;
  return (
    Object.keys(agreed).length === Object.keys(payment).length &&
    Object.entries(payment).every(([name, value]) => agreed[name] === value)
  );
}

/** Hands the payment in; gives its receipt. */
async function pay(accessToken: string): Promise<string> {
  const { type: _, ...order } = payment;
  const response = await fetch(`${issuer}/payments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(order),
    redirect: 'error',
    signal: AbortSignal.timeout(10_000),
  }).catch((cause: unknown) => {
    throw new Error('The payments service did not answer: look there whether it was paid.', { cause });
  });
  const answer = (await response.json()) as { receipt?: string; error_description?: string };
  if (response.status !== 201 || !answer.receipt) {
    throw new Error(`The payment was refused: ${answer.error_description ?? response.status}.`);
  }
  return answer.receipt;
}

async function approve(authReqId: string): Promise<void> {
  const query = new URLSearchParams({ auth_req_id: authReqId, action: 'allow' });
  const { status } = await fetch(`${issuer}/demo/decide?${query}`, { method: 'POST' });
  if (status !== 204) throw new Error(`The approval was answered ${status}.`);
  console.log(`Approved as ${loginHint}`);
}

const SENTENCES: Readonly<Record<string, string>> = {
  access_denied: `${loginHint} said no, or may not be asked now. Nothing was bought.`,
  expired_token: `${loginHint} did not decide in time. Nothing was bought.`,
  unknown_user_id: `The server knows nobody called ${loginHint}.`,
};

function sentenceOf(error: unknown): string {
  if (error instanceof client.ResponseBodyError) {
    return SENTENCES[error.error] ?? `The server refused: ${error.error_description ?? error.error}.`;
  }
  const { cause, message } = error as Error;
  if ((cause as { code?: unknown } | undefined)?.code === 'ECONNREFUSED') {
    return `No identity server answers at ${issuer}: start it with npm start.`;
  }
  return message;
}

try {
  await run();
} catch (error) {
  console.error(sentenceOf(error));
  process.exitCode = 1;
}
