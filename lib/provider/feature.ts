import {
  type CIBAConfigurationBase,
  type Client,
  errors,
  type FindAccount,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import type { Emitter } from '../emitter.js';
import { invalidOption } from '../errors.js';
import { handleOf } from '../request/handle.js';
import type { Settings } from '../settings/settings.js';
import type { Store } from '../store/store.js';
import { checkBindingMessage } from './binding-message.js';
import { checkAuthenticationMethod } from './client-authentication.js';
import { isCompat } from './compat.js';
import { exchangeOf } from './exchange.js';
import { checkIdTokenHint } from './id-token-hint.js';
import type { IssuingConfig } from './issuing-config.js';
import { type Fetch, LoginHintTokens } from './login-hint-token.js';
import { checkProfile } from './profile.js';
import { findSenderConstraint } from './sender-constraint.js';
import { signedContext, useSignedRequest } from './signed-request.js';
import { type Hiding, hidingUnknown, type ResolveHint } from './unknown-users.js';
import { UserCodes } from './user-codes.js';

/** How a client gets its tokens (CIBA Core 5). */
export type DeliveryMode = 'poll' | 'ping' | 'push';

/** `features.ciba` as a server gives it: none of the hooks has to be written, each that is written is used. */
export interface CibaFeature extends Omit<CIBAConfigurationBase, 'enabled' | 'deliveryModes'> {
  /** The flag that switches CIBA on. Default `false`. */
  readonly enabled?: boolean | undefined;
  /** The delivery modes that clients may register for. Default `['poll']`. */
  readonly deliveryModes?: readonly DeliveryMode[] | ReadonlySet<DeliveryMode> | undefined;
}

type Hook = Exclude<keyof CIBAConfigurationBase, 'enabled' | 'deliveryModes'>;
type Hooks = { [Name in Hook]-?: NonNullable<CIBAConfigurationBase[Name]> };

const MODES: ReadonlySet<string> = new Set(['poll', 'ping', 'push'] satisfies DeliveryMode[]);

/**
 * `features.ciba` as oidc-provider keeps it. Its constructor refuses `push`, and clones every plain object: an instance of a class
 * stays the same object, so its modes can be completed once the provider is there.
 */
export class OfferedFeature {
  readonly enabled = true;
  readonly deliveryModes: Set<DeliveryMode>;
  readonly #modes: ReadonlySet<DeliveryMode>;

  constructor(theirs: CibaFeature, modes: ReadonlySet<DeliveryMode>, hooks: Hooks) {
    const accepted = [...modes].filter((mode) => mode !== 'push');
    Object.assign(this, theirs, hooks, { enabled: true });
    this.#modes = modes;
    // oidc-provider wants at least one: nobody is served before the modes are completed.
    this.deliveryModes = new Set(accepted.length > 0 ? accepted : ['poll']);
  }

  /** From here on discovery, registration and the backchannel endpoint know the modes that the server offers, and no other. */
  completeModes(): void {
    this.deliveryModes.clear();
    for (const mode of this.#modes) this.deliveryModes.add(mode);
  }
}

/**
 * The delivery modes that the server offers.
 * @throws {CibaError} `invalid_option`, naming one that does not exist
 */
export function deliveryModesOf({ deliveryModes = ['poll'] }: CibaFeature): ReadonlySet<DeliveryMode> {
  const path = 'features.ciba.deliveryModes';
  if (!Array.isArray(deliveryModes) && !(deliveryModes instanceof Set)) {
    throw invalidOption(path, 'must be a list or a Set');
  }
  const modes = new Set<DeliveryMode>(deliveryModes);
  if (modes.size === 0) throw invalidOption(path, 'must not be empty');
  for (const mode of modes) {
    if (!MODES.has(mode)) throw invalidOption(path, `has ${mode}, which does not exist`);
  }
  return modes;
}

/** Whether the server can check user codes, which discovery and registration have to say. */
export function supportsUserCodes(theirs: CibaFeature, settings: Settings): boolean {
  return settings.verifyUserCode !== undefined || theirs.verifyUserCode !== undefined;
}

/** The parts that the hooks are made with. */
export interface FeatureParts {
  readonly store: Store;
  readonly events: Emitter;
  readonly settings: Settings;
  /** The server's own, where its configuration has one. */
  readonly fetch?: Fetch | undefined;
  /** The server's own accounts, where its configuration says. */
  readonly findAccount?: FindAccount | undefined;
  readonly issuing: IssuingConfig;
}

/** The provider's `features.ciba`: the server's own hooks where it has any, the options and safe defaults elsewhere. */
export function extendFeature(
  theirs: CibaFeature,
  modes: ReadonlySet<DeliveryMode>,
  parts: FeatureParts,
): OfferedFeature {
  const { settings, events } = parts;
  const checkUserCode = userCodeHook(theirs, parts);
  const { findAccount } = parts;
  const hiding: Hiding = {
    hideUnknownUsers: settings.hideUnknownUsers,
    findable: async (ctx, id) => !findAccount || Boolean(await findAccount(ctx, id)),
  };
  const hooks: Hooks = {
    processLoginHint: hidingUnknown(loginHintHook(theirs, settings) as ResolveHint, hiding),
    processLoginHintToken: loginHintTokenHook(theirs, parts),
    // Both are asked at once. A promise each: what one of them throws must not leave the other's refusal to nobody.
    validateBindingMessage: async (ctx, message) => {
      if (theirs.validateBindingMessage) await theirs.validateBindingMessage(ctx, message);
      else checkBindingMessage(message);
    },
    validateRequestContext: async (ctx, context) => {
      checkAuthenticationMethod(ctx);
      refusePublicClient(ctx);
      refuseBrokenText(ctx);
      checkRequestedExpiry(ctx);
      checkProfile(ctx, settings);
      // A client that is given a nonce for its proof sends its request again: none is used up before.
      await findSenderConstraint(ctx, parts.issuing);
      const { signed } = exchangeOf(ctx);
      if (signed) await useSignedRequest(ctx, signed.claims, parts.store, settings);
      const given = signedContext(ctx) ?? context;
      if (theirs.validateRequestContext) await theirs.validateRequestContext(ctx, given);
    },
    // The first hook that is called when the account is known, whichever hint has named it.
    verifyUserCode: async (ctx, account, userCode) => {
      checkIdTokenHint(ctx, settings);
      await checkUserCode(ctx, account, userCode);
    },
    triggerAuthenticationDevice: deviceHook(theirs, events),
  };
  return new OfferedFeature(theirs, modes, hooks);
}

/** CIBA Core 7.1: the client authenticates. Registration refuses such a client; one from before the plugin is refused here. */
function refusePublicClient(ctx: KoaContextWithOIDC): void {
  if (clientOf(ctx).clientAuthMethod === 'none') {
    throw new errors.UnauthorizedClient('a client that does not authenticate cannot use CIBA');
  }
}

/** RFC 6749 B: parameters are UTF-8. Where bytes are none, U+FFFD is in their place, and nobody knows what the client has sent. */
function refuseBrokenText(ctx: KoaContextWithOIDC): void {
  const isBroken = (text: unknown): boolean => typeof text === 'string' && text.includes('\uFFFD');
  const params = ctx.oidc.params ?? {};
  for (const name of Object.keys(params)) {
    const value = params[name];
    if (!(Array.isArray(value) ? value.some(isBroken) : isBroken(value))) continue;
    const sentence = `${name} is not valid UTF-8`;
    throw name === 'binding_message'
      ? new errors.InvalidBindingMessage(sentence)
      : new errors.InvalidRequest(sentence);
  }
}

/** CIBA Core 7.1: a positive integer. oidc-provider also takes what JavaScript reads as one, such as 1e2 and 0x10. */
function checkRequestedExpiry(ctx: KoaContextWithOIDC): void {
  const requested = ctx.oidc.params?.['requested_expiry'];
  if (requested !== undefined && !/^[1-9][0-9]*$/.test(String(requested))) {
    throw new errors.InvalidRequest('requested_expiry must be a positive integer');
  }
}

function loginHintHook(theirs: CibaFeature, { resolveLoginHint }: Settings): Hooks['processLoginHint'] {
  if (resolveLoginHint && theirs.processLoginHint) {
    throw invalidOption(
      'resolveLoginHint',
      'and features.ciba.processLoginHint do the same: give one of them',
    );
  }
  return (
    theirs.processLoginHint ??
    (async (ctx, hint) => {
      if (!resolveLoginHint) throw new errors.InvalidRequest('login_hint is not supported by this server');
      return await resolveLoginHint(hint as string, ctx);
    })
  );
}

function loginHintTokenHook(
  theirs: CibaFeature,
  { settings, fetch }: FeatureParts,
): Hooks['processLoginHintToken'] {
  const { loginHintToken } = settings;
  if (loginHintToken && theirs.processLoginHintToken) {
    throw invalidOption(
      'loginHintToken',
      'and features.ciba.processLoginHintToken do the same: give one of them',
    );
  }
  if (loginHintToken) {
    const tokens = new LoginHintTokens(loginHintToken, settings, fetch);
    return (ctx, token) => tokens.accountOf(ctx, token as string);
  }
  return (
    theirs.processLoginHintToken ??
    (() => {
      throw new errors.InvalidRequest('login_hint_token is not supported by this server');
    })
  );
}

/**
 * A client registered for user codes must send one (CIBA Core 7.1.2). The option is asked about codes of such clients only; the
 * server's own hook is asked every time, as it is without the plugin.
 */
function userCodeHook(theirs: CibaFeature, parts: FeatureParts): Hooks['verifyUserCode'] {
  const { settings } = parts;
  const { verifyUserCode } = settings;
  if (verifyUserCode && theirs.verifyUserCode) {
    throw invalidOption('verifyUserCode', 'and features.ciba.verifyUserCode do the same: give one of them');
  }
  const userCodes = verifyUserCode && new UserCodes(verifyUserCode, parts);
  return async (ctx, account, userCode) => {
    const client = clientOf(ctx);
    if (client.backchannelUserCodeParameter || isCompat(client, settings)) {
      if (!supportsUserCodes(theirs, settings)) {
        throw new errors.InvalidRequest('user codes are not supported by this server');
      }
      if (userCode === undefined) throw new errors.MissingUserCode('user_code is required');
      await userCodes?.check(ctx, account.accountId, userCode);
    }
    if (exchangeOf(ctx).nobody === undefined) await theirs.verifyUserCode?.(ctx, account, userCode);
    // Nobody has a code.
    else if (theirs.verifyUserCode && userCode !== undefined) {
      throw new errors.InvalidUserCode('user_code is not valid');
    }
  };
}

/**
 * The request is stored and about to be acknowledged: a slow gateway must not hold that up, and one that fails must not make
 * an error of it (CIBA Core 7.3).
 */
function deviceHook(theirs: CibaFeature, events: Emitter): Hooks['triggerAuthenticationDevice'] {
  return (ctx, request, account, client) => {
    const failed = (cause: unknown): void => {
      const { clientId } = client;
      events.emit('notification.failed', {
        handle: handleOf(request.jti),
        clientId,
        accountId: account.accountId,
        cause,
      });
    };
    if (exchangeOf(ctx).nobody !== undefined) return;
    try {
      Promise.resolve(theirs.triggerAuthenticationDevice?.(ctx, request, account, client)).catch(failed);
    } catch (cause) {
      failed(cause);
    }
  };
}

function clientOf(ctx: KoaContextWithOIDC): Client {
  return ctx.oidc.client as Client;
}
