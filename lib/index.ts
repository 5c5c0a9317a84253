/**
 * CIBA (OpenID Client-Initiated Backchannel Authentication) for Express identity servers on oidc-provider.
 *
 * @module
 */

/** Reaching people. */
export {
  type ChainStep,
  type Channel,
  ChannelError,
  type ChannelFailure,
  type Prompt,
} from './channels/channel.js';
export type { ChannelView, Prompts, PromptView } from './channels/prompts.js';
/** Making it. */
export { type Ciba, type CibaWorker, createCiba } from './ciba.js';
/** Telling ping and push clients. */
export type { Deliveries, DeliveryView, ListedDeliveries } from './delivery/deliveries.js';
export { CibaError, type CibaErrorCode, type Outcome } from './errors.js';
/** What it tells. */
export type {
  AuditEntry,
  CibaEventName,
  CibaEvents,
  CibaListener,
  CompatUse,
  DeliveryEvent,
  PromptEvent,
  PromptFailure,
  RequestEvent,
  TimedWork,
  Timing,
} from './events.js';
export type { Health, WorkHealth } from './health.js';
/** What it can be told. */
export type {
  CibaOptions,
  CompatApproval,
  CompatOptions,
  Decider,
  DeliveryOptions,
  EncryptionOptions,
  InteractionContext,
  LimitOptions,
  LoginHintTokenIssuer,
  LoginHintTokenOptions,
  LongPollingOptions,
  PageOptions,
  PasskeyOptions,
  ReplicaOptions,
  StoredPasskey,
} from './options.js';
export type { PageTexts } from './page-texts.js';
export type { ConfigurationWithCiba } from './provider/configure.js';
export type { CibaFeature } from './provider/feature.js';
/** Looking at requests and deciding them. */
export type { AuthorizationDetail } from './request/payload.js';
export type { Approval, Denial, Requests } from './request/requests.js';
export { hashUserCode, matchesUserCode, type UserCodeOptions } from './request/user-code.js';
export type { RequestView } from './request/view.js';
export type { StoreHealth } from './store/health.js';
export type { DeliveryState } from './store/outbox.js';
export type { RedisClient } from './store/redis-connection.js';
export type { Status } from './store/store.js';
