import type { Adapter, AdapterConstructor, AdapterFactory, Configuration } from 'oidc-provider';
import { invalidOption } from '../errors.js';
import type { Settings } from '../settings/settings.js';
import { type AdapterParts, RequestAdapter } from './adapter.js';
import { extendDetails } from './approved-details.js';
import { moveLoopbackEndpoints } from './client-endpoint.js';
import { expiryOf, extendClientMetadata } from './client-metadata.js';
import { type ClientRules, isSectorOfEndpoint } from './client-rules.js';
import { approvedRegistration, checkCompatClients } from './compat-registration.js';
import {
  type CibaFeature,
  type DeliveryMode,
  deliveryModesOf,
  extendFeature,
  type OfferedFeature,
  supportsUserCodes,
} from './feature.js';
import { extendFindAccount } from './find-account.js';
import { type IssuingConfig, issuingConfigOf } from './issuing-config.js';
import { MemoryAdapter } from './memory-adapter.js';
import { REQUEST_MODEL } from './names.js';
import { type AssertClaims, assertSignedRequest } from './signed-request.js';
import { findingNobody } from './unknown-users.js';

/** Bits of randomness in an `auth_req_id`, which is also oidc-provider's default for every token. */
const ID_BITS = 256;

/** A provider configuration whose `features.ciba` needs no hook of the server's. */
export type ConfigurationWithCiba = Omit<Configuration, 'features'> & {
  readonly features?: (WithoutCiba<Features> & { readonly ciba?: CibaFeature | undefined }) | undefined;
};

type Features = NonNullable<Configuration['features']>;
type WithoutCiba<T> = T extends unknown ? Omit<T, 'ciba'> : never;

/** The parts of the plugin that a configuration is made with. */
export type ConfigureParts = Omit<AdapterParts, 'issuing'>;

/** What is known of a configuration with CIBA on when the router is made. */
export interface Configured {
  readonly userCodes: boolean;
  /** The adapter of the plugin's model, by which a provider made with the configuration is known. */
  readonly adapter: Adapter;
  /** The provider's `features.ciba`, whose modes are completed when the provider is there. */
  readonly feature: OfferedFeature;
  /** The delivery modes that the server offers. */
  readonly modes: ReadonlySet<DeliveryMode>;
  /** What tokens are issued by that no token request asks for. */
  readonly issuing: IssuingConfig;
  /** The server's own secrets, which all its processes have. */
  readonly secrets: readonly (string | Uint8Array)[];
}

/** A new configuration with the plugin in it; the one given is not touched. */
export function configure(
  config: ConfigurationWithCiba,
  parts: ConfigureParts,
): { config: Configuration; configured: Configured | undefined } {
  if (typeof config !== 'object' || config === null)
    throw invalidOption('configuration', 'must be an object');
  const theirs = config.features?.ciba;
  if (theirs?.enabled !== true) return { config: config as Configuration, configured: undefined };
  const { settings } = parts;
  const userCodes = supportsUserCodes(theirs, settings);
  const modes = deliveryModesOf(theirs);
  if (settings.profile) checkServer(config, modes);
  if (settings.compat) {
    if (!userCodes)
      throw invalidOption('verifyUserCode', 'must be given with compat, whose clients send user codes');
    checkCompatClients(config.clients, settings);
  }
  const details = extendDetails(config.features?.richAuthorizationRequests);
  const findAccount =
    config.findAccount && extendFindAccount(findingNobody(config.findAccount, settings), settings);
  const features = { ...config.features, ...details } as Features;
  const issuing = issuingConfigOf({ ...(config as Configuration), features }, findAccount);
  const ciba = extendFeature(theirs, modes, {
    ...parts,
    fetch: config.fetch,
    findAccount: config.findAccount,
    issuing,
  });
  const adapter = new RequestAdapter({ ...parts, issuing });
  const extended: Configuration = {
    ...config,
    adapter: extendAdapter(config.adapter, adapter),
    ttl: { ...config.ttl, [REQUEST_MODEL]: lifetime(config.ttl?.[REQUEST_MODEL], settings) },
    extraClientMetadata: extendClientMetadata(config.extraClientMetadata, {
      settings,
      userCodes,
      defaultMode: config.clientDefaults?.backchannel_token_delivery_mode,
      authorOf: authorsOf(config),
    }),
    features: {
      ...features,
      ciba,
      ...signedRequests(config),
      ...approvedRegistration(config.features, settings),
    } as unknown as Features,
    ...(config.clients && { clients: moveLoopbackEndpoints(config.clients, settings) }),
    ...(config.formats && { formats: extendFormats(config.formats) }),
    ...(findAccount && { findAccount }),
    ...(modes.has('push') && { sectorIdentifierUriValidate: extendSectors(config) }),
  };
  return {
    config: extended,
    configured: { userCodes, adapter, feature: ciba, modes, issuing, secrets: secretsOf(config) },
  };
}

/** What the FAPI-CIBA profile asks of a server: that its clients can keep to it (FAPI-CIBA 5.2.2). */
function checkServer({ features }: ConfigurationWithCiba, modes: ReadonlySet<DeliveryMode>): void {
  const isOn = (name: string): boolean =>
    (features as Record<string, { enabled?: boolean } | undefined> | undefined)?.[name]?.enabled === true;
  if (modes.has('push'))
    throw invalidOption('features.ciba.deliveryModes', 'must be without push under the profile');
  if (!isOn('requestObjects'))
    throw invalidOption('features.requestObjects.enabled', 'must be true under the profile');
  if (!isOn('mTLS') && !isOn('dPoP')) {
    throw invalidOption(
      'features',
      'must have mTLS or dPoP enabled under the profile: tokens are bound to a key',
    );
  }
}

/** Where the server takes signed requests, those for CIBA are held to its rules for them. */
function signedRequests({ features, extraParams }: ConfigurationWithCiba): object {
  const { requestObjects } = (features ?? {}) as { requestObjects?: SignedRequests };
  if (requestObjects?.enabled !== true) return {};
  const names =
    extraParams instanceof Set || Array.isArray(extraParams) ? extraParams : Object.keys(extraParams ?? {});
  const assertJwtClaimsAndHeader = assertSignedRequest(requestObjects.assertJwtClaimsAndHeader, names);
  return { requestObjects: { ...requestObjects, assertJwtClaimsAndHeader } };
}

type SignedRequests = { readonly enabled?: boolean; readonly assertJwtClaimsAndHeader?: AssertClaims };

/** The keys of the server's cookies, where they are given as they are and not as a Keygrip. */
function secretsOf({ cookies }: ConfigurationWithCiba): readonly (string | Uint8Array)[] {
  const keys: unknown = cookies?.keys;
  const isSecret = (key: unknown): key is string | Uint8Array =>
    (typeof key === 'string' && key !== '') || key instanceof Uint8Array;
  return Array.isArray(keys) ? keys.filter(isSecret) : [];
}

type Lifetime = NonNullable<NonNullable<Configuration['ttl']>[typeof REQUEST_MODEL]>;

/** What the server has set is the life of a request whose client asks for none; `maxExpiry` bounds what a client may ask for. */
function lifetime(theirs: Lifetime | undefined, settings: Settings): Lifetime {
  return (ctx, request, client) => {
    const usual =
      typeof theirs === 'function' ? theirs(ctx, request, client) : (theirs ?? settings.defaultExpiry);
    const requested = ctx?.oidc?.params?.['requested_expiry'];
    return expiryOf(client, requested === undefined ? undefined : Number(requested), usual, settings);
  };
}

/** A client whose id is the URL of a document has written that document, whatever came of it since. */
function authorsOf(config: ConfigurationWithCiba): ClientRules['authorOf'] {
  const documents = (config.features as Record<string, { enabled?: boolean } | undefined> | undefined)?.[
    'clientIdMetadataDocument'
  ];
  const known = new Set(config.clients?.map(({ client_id: id }) => id));
  return (ctx, clientId) => {
    if (ctx !== undefined) return 'client';
    if (clientId !== undefined && known.has(clientId)) return 'administrator';
    return documents?.enabled === true && clientId?.startsWith('https://') ? 'client' : 'adapter';
  };
}

/** oidc-provider would fetch a list of what belongs to the sector, where there is nothing but the endpoint. */
function extendSectors({
  sectorIdentifierUriValidate: theirs,
}: ConfigurationWithCiba): NonNullable<Configuration['sectorIdentifierUriValidate']> {
  return (client) => !isSectorOfEndpoint(client) && (theirs?.(client) ?? true);
}

type Formats = NonNullable<Configuration['formats']>;

/** An `auth_req_id` keeps its 256 bits where the server's other tokens have fewer (CIBA Core 7.3). */
function extendFormats(theirs: Formats): Formats {
  const { bitsOfOpaqueRandomness: bits = ID_BITS } = theirs;
  return {
    ...theirs,
    bitsOfOpaqueRandomness: (ctx, token) => {
      const wanted = typeof bits === 'function' ? bits(ctx, token) : bits;
      return token.kind === REQUEST_MODEL ? Math.max(wanted, ID_BITS) : wanted;
    },
  };
}

/** Our adapter for our model, theirs for every other. */
function extendAdapter(theirs: Configuration['adapter'], ours: Adapter): AdapterFactory {
  if (!theirs) {
    const warning =
      'no adapter is configured: grants and tokens are kept in memory, which is for development';
    process.emitWarning(warning, 'CibaWarning');
  }
  return (name) => {
    if (name === REQUEST_MODEL) return ours;
    if (!theirs) return new MemoryAdapter();
    return isClass(theirs) ? new theirs(name) : theirs(name);
  };
}

/** As oidc-provider tells them apart: an arrow function has no prototype, and a plain function may be called with `new`. */
function isClass(adapter: AdapterConstructor | AdapterFactory): adapter is AdapterConstructor {
  return typeof adapter.prototype === 'object' && adapter.prototype !== null;
}
