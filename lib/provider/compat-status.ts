import type { KoaContextWithOIDC } from 'oidc-provider';
import { deliveryModeOf } from './client-endpoint.js';
import { isCompat, messageOf } from './compat.js';
import type { Exchange, StepParts } from './exchange.js';

/** A bearer token as CIBA Core 7.1 has it. */
const NOTIFICATION_TOKEN = /^[A-Za-z0-9._~+/-]{1,1024}=*$/;

/** Ours: a client of the dialect that polls is told where its request stands, from when the acknowledgement has left. */
export function tellAcknowledged(
  ctx: KoaContextWithOIDC,
  _exchange: Exchange,
  { statusNotifications, settings }: StepParts,
): void {
  const { client } = ctx.oidc;
  if (!statusNotifications || ctx.status !== 200 || !client || !isCompat(client, settings)) return;
  const [endpoint] = client.redirectUris ?? [];
  if (endpoint === undefined || deliveryModeOf(client) !== 'poll') return;
  const { auth_req_id: authReqId, expires_in: expiresIn, interval } = ctx.body as Acknowledgement;
  const token = messageOf(ctx.req)?.notificationToken;
  const bearer = token !== undefined && NOTIFICATION_TOKEN.test(token) ? token : undefined;
  const clientId = String(client.clientId);
  ctx.res.once('finish', () =>
    statusNotifications.begin({ clientId, endpoint, bearer, authReqId, expiresIn, interval }),
  );
}

interface Acknowledgement {
  readonly auth_req_id: string;
  readonly expires_in: number;
  readonly interval: number;
}
