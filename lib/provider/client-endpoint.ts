import type { Client, ClientMetadata } from 'oidc-provider';
import { hostOf, isLoopbackHost } from '../delivery/endpoint.js';
import type { Settings } from '../settings/settings.js';
import type { DeliveryMode } from './feature.js';

/** Where a client that is told says that it is (CIBA Core 4). */
export const ENDPOINT = 'backchannel_client_notification_endpoint';

/** Where a notification endpoint is kept that oidc-provider would refuse for its `http`. */
export const LOOPBACK_ENDPOINT = 'ciba_loopback_notification_endpoint';

/** How a client is registered to get its tokens. */
export function deliveryModeOf(client: Client | undefined): DeliveryMode {
  return (client?.backchannelTokenDeliveryMode as DeliveryMode | undefined) ?? 'poll';
}

/** Where a client is registered to be told. */
export function notificationEndpointOf(client: Client): string | undefined {
  return (client[LOOPBACK_ENDPOINT] as string | undefined) ?? client.backchannelClientNotificationEndpoint;
}

/**
 * The server's own clients, with each `http` endpoint on this machine's loopback interface moved to where oidc-provider does not
 * look.
 */
export function moveLoopbackEndpoints(
  clients: readonly ClientMetadata[],
  { delivery }: Settings,
): ClientMetadata[] {
  if (!delivery.allowLoopback) return [...clients];
  return clients.map((client) => {
    const endpoint = client[ENDPOINT];
    if (typeof endpoint !== 'string' || !URL.canParse(endpoint)) return client;
    const url = new URL(endpoint);
    if (url.protocol !== 'http:' || !isLoopbackHost(hostOf(url))) return client;
    return {
      ...client,
      [ENDPOINT]: endpoint.replace(/^http:/i, 'https:'),
      [LOOPBACK_ENDPOINT]: endpoint,
    };
  });
}
