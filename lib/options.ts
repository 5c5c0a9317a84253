import type { Request, Response } from 'express';
import type { JWK } from 'jose';
import type { ClientMetadata, KoaContextWithOIDC } from 'oidc-provider';
import type { ChainStep, Channel } from './channels/channel.js';
import type { PageTexts } from './page-texts.js';
import type { RequestView } from './request/view.js';
import type { RedisClient } from './store/redis-connection.js';

/** Who is asking the decision endpoints, as the server's own authentication of them found. */
export interface Decider {
  /** The account that is signed in. */
  readonly accountId: string;
  /** Authentication context class reached, for the ID Token's `acr` (OIDC Core 2). */
  readonly acr?: string | undefined;
  /** Authentication methods used, for the ID Token's `amr` (OIDC Core 2). */
  readonly amr?: readonly string[] | undefined;
  /** When the person authenticated, in seconds since the epoch, for the ID Token's `auth_time` (OIDC Core 2). */
  readonly authTime?: number | undefined;
}

/** How clients registered for ping or push are told; see {@link CibaOptions.delivery}. All may be left out. */
export interface DeliveryOptions {
  /**
   * Whether this process tells clients and prompts people. With `false` it only records what is due, for processes that run
   * `ciba.worker(provider)`.
   * Default `true`.
   */
  readonly worker?: boolean | undefined;
  /**
   * How often a notification is sent at most, where the client's endpoint fails for a reason that may pass. 1 to 100. Default 20.
   * It also ends with the request, whichever comes first.
   */
  readonly attempts?: number | undefined;
  /**
   * Whether clients are told when a request expires undecided (CIBA Core 10.2, 12): a ping, or `expired_token` by push. Default
   * `false`.
   */
  readonly notifyExpiry?: boolean | undefined;
  /**
   * Addresses and ranges that notifications may go to although they are not on the public Internet, such as `10.1.0.0/16` or
   * `fd00::/8`. With any, names such as `till.shop.internal` may be registered, too. Default none.
   */
  readonly allowedAddresses?: readonly string[] | undefined;
  /** Ports that notification endpoints may have, or `'any'`. Default `[443]`. */
  readonly allowedPorts?: readonly number[] | 'any' | undefined;
  /**
   * Development only: notification endpoints may be on this machine's loopback interface, on any port, and there with `http`
   * as well (`http` for clients in `config.clients` only). Default `false`.
   */
  readonly allowLoopback?: boolean | undefined;
  /** Certificates, PEM, trusted for notification endpoints instead of Node's. Default: what Node trusts. */
  readonly ca?: string | readonly string[] | undefined;
}

/** Replicas that must have what may not be lost before it counts; see {@link CibaOptions.replicas}. All may be left out. */
export interface ReplicaOptions {
  /** How many of them must have it. 1 to 5. Default 1. */
  readonly acknowledge?: number | undefined;
  /** How long they are waited for, in milliseconds. 10 to 500. Default 200. */
  readonly within?: number | undefined;
}

/** Encrypting what lies in Redis; see {@link CibaOptions.encryption}. */
export interface EncryptionOptions {
  /**
   * Keys of 32 bytes, each a `Uint8Array` or its base64url text. The first one encrypts, all decrypt. `'plain'` among them stands for no
   * encryption: in front nothing is encrypted yet, behind it what was not is still read. Without it a text that is not encrypted is refused,
   * so that whoever can write to Redis cannot make up an approval.
   */
  readonly keys: readonly (Uint8Array | string)[];
}

/**
 * Holding polls until there is an answer (CIBA Core 10.1, long polling); see {@link CibaOptions.longPolling}. All may be left out.
 */
export interface LongPollingOptions {
  /**
   * How long the polls of clients are held that do not say so themselves, in seconds. 0 to 30. Default 0: only those of clients with the
   * metadata `ciba_long_polling`, in seconds, and those that come with `Prefer: wait=25` (RFC 7240 4.3).
   */
  readonly wait?: number | undefined;
  /** How many polls this process holds at a time; one more is answered at once. 1 to 100000. Default 10000. */
  readonly held?: number | undefined;
}

/**
 * How often people may be asked (CIBA Core 7.1.2, 14); see {@link CibaOptions.limits}. All may be left out, each but `cooldown` may be `false`. Over
 * a limit of an account nobody is prompted and the client hears 403 `access_denied`, over that of a client 429
 * `temporarily_unavailable`.
 */
export interface LimitOptions {
  /** How many requests of one account may be pending at a time. 1 to 1000, or `false` for any number. Default 10. */
  readonly pendingPerAccount?: number | false | undefined;
  /** How many of those one client may have made. 1 to 1000, or `false` for any number. Default 5. */
  readonly pendingPerAccountAndClient?: number | false | undefined;
  /** How many requests of one client may be pending at a time, whoever is asked. 1 to 1000000, or `false` for any number. Default 10000. */
  readonly pendingPerClient?: number | false | undefined;
  /**
   * How many requests of one client a person may deny or let expire, or the client take back, before that client has to leave
   * them alone for a while. 1 to 100, or `false` for any number. Default 3.
   */
  readonly refusals?: number | false | undefined;
  /** How long a request that was denied, expired or taken back counts, in seconds. 10 to 86400. Default 600. */
  readonly cooldown?: number | undefined;
}

/** What `interaction` is told of the link that was opened. */
export interface InteractionContext {
  /** The request that the link is for. Nothing of it may be shown before the right person is signed in. */
  readonly request: RequestView;
  /** The path of the page, to come back to from the server's own login. */
  readonly returnTo: string;
  /**
   * Whether somebody who is not signed in may be sent to the server's own login. With passkeys it is `false` until they choose that
   * instead, and where a form was sent or the request has an outcome: return nothing then, and leave `res` alone.
   */
  readonly login: boolean;
}

/** A passkey as the server stores it, with what SimpleWebAuthn's registration gave for it. */
export interface StoredPasskey {
  /** The credential's id, base64url. */
  readonly id: string;
  readonly publicKey: Uint8Array;
  /** The signature counter after the last use. */
  readonly counter: number;
  readonly transports?: readonly string[] | undefined;
}

/** Signing in on the decision page with a passkey (WebAuthn); needs the package `@simplewebauthn/server`. */
export interface PasskeyOptions {
  /** The passkeys of an account. */
  readonly of: (accountId: string) => Promise<readonly StoredPasskey[]> | readonly StoredPasskey[];
  /** Called once a passkey was used, with the counter to store. Default: it is not stored. */
  readonly used?:
    | ((accountId: string, id: string, counter: number) => Promise<unknown> | unknown)
    | undefined;
  /** The relying party id that the passkeys were made for. Default: the host name of where the page is. */
  readonly rpId?: string | undefined;
  /**
   * Whether the devices find the passkeys by themselves, as they do where they were made with `residentKey`. With `false` their ids are sent
   * to whoever has opened the link. Default `true`.
   */
  readonly discoverable?: boolean | undefined;
  /** The `acr` that signing in with a passkey reaches. Default: none. `amr` is `["hwk", "user"]`, or `["swk", "user"]` for a
   * passkey that several devices have (RFC 8176). */
  readonly acr?: string | undefined;
}

/** The decision page; see {@link CibaOptions.page}. All may be left out. */
export interface PageOptions {
  /** Where the router mounts the page. A path that begins with `/`. Default `/ciba/decide`. */
  readonly path?: string | undefined;
  /**
   * Where people reach what the router is mounted on, for links in messages. An http or https URL. Default: the issuer. It is needed where
   * the issuer does not have the path that the router is mounted at, which a warning says.
   */
  readonly baseUrl?: string | undefined;
  /** Lets people sign in on the page itself. Default: only `interaction` says who it is. */
  readonly passkeys?: PasskeyOptions | undefined;
  /**
   * Texts by language tag, each replacing those of {@link PageTexts} that it names. The language is chosen by `Accept-Language`,
   * English where none fits. Default: English.
   */
  readonly texts?: Readonly<Record<string, Partial<PageTexts>>> | undefined;
}

/** Accounts named by a `login_hint_token` (CIBA Core 7.1, 14): a JWT signed by an issuer that the server trusts. */
export interface LoginHintTokenOptions {
  /** Who may issue such tokens, and the keys that they are signed with. */
  readonly issuers: readonly LoginHintTokenIssuer[];
  /** What the token's `aud` must hold. Default: the provider's issuer. */
  readonly audience?: string | undefined;
  /** What the token's header must have as `typ`, so that no other kind of JWT passes for one. Default: any. */
  readonly typ?: string | undefined;
  /** How old a token may be, in seconds since its `iat`. 10 to 86400. Default 300. */
  readonly maxAge?: number | undefined;
  /**
   * The account that the verified claims name. Return nothing for an unknown one, which is then answered `unknown_user_id`. Default: the
   * `sub`.
   */
  readonly resolve?:
    | ((
        claims: Readonly<Record<string, unknown>>,
        ctx: KoaContextWithOIDC,
      ) => Promise<string | undefined> | string | undefined)
    | undefined;
}

/** One trusted issuer of login hint tokens. Either `jwks` or `jwksUri` is needed. */
export interface LoginHintTokenIssuer {
  /** The `iss` of its tokens. */
  readonly issuer: string;
  /** The public keys. */
  readonly jwks?: { readonly keys: readonly JWK[] } | undefined;
  /** Where the public keys are published, https. */
  readonly jwksUri?: string | undefined;
  /** The signature algorithms accepted. Asymmetric ones only. Default `['ES256', 'PS256', 'RS256', 'EdDSA']`. */
  readonly algorithms?: readonly string[] | undefined;
}

/**
 * Takes the messages of a widely read tutorial as it prints them; see {@link CibaOptions.compat}. All may be left out. They differ from
 * CIBA in names, in what they leave out and in how they are laid out, never in who decides and who authenticates.
 */
export interface CompatOptions {
  /**
   * Clients that may register themselves with an id and a secret of their own choosing, by `client_id`; `features.registration` must be on.
   * Default none.
   */
  readonly preapproved?: Readonly<Record<string, CompatApproval>> | undefined;
  /**
   * What becomes of `backchannel_authentication_endpoint` and `token_endpoint` in a registration, where they have no place: with `drop`
   * they are left out, with `verify` they must be this server's as well. Default `drop`.
   */
  readonly opEndpoints?: 'drop' | 'verify' | undefined;
  /**
   * Whether a client that polls is told where its request stands, at its first redirect URI: `pending` once it is acknowledged, then
   * `success` or `failure`. Each is sent once at most and not again where it fails, by the process that acknowledged the request; what
   * that process forgets when it ends is not told. It holds the `auth_req_id` and no token, proves nothing, and the client polls all the
   * same. Where it may be sent is what `delivery` says. Default `true`.
   */
  readonly statusNotifications?: boolean | undefined;
  /**
   * Development only: the secrets of these clients may be shorter than 22 characters, 128 bits. The issuer must be on this machine's loopback
   * interface. Default `false`.
   */
  readonly allowWeakSecrets?: boolean | undefined;
}

/** A registration that an administrator has approved beforehand. */
export interface CompatApproval {
  /** The secret that the client registers with: whoever does not have it cannot take the id. */
  readonly secret: string;
  /** The `login_hint` that stands for this client where it sends no hint. Default: there is none, and it must send one. */
  readonly subject?: string | undefined;
}

/** The options of {@link createCiba}. All may be left out. */
export interface CibaOptions {
  /**
   * The profile that every client of this server is held to: `fapi-ciba` is FAPI-CIBA (Implementer's Draft 1): signed requests that
   * live for an hour at most (PS256, ES256), no push, `private_key_jwt` or mutual TLS, tokens bound to a key, a `binding_message` where
   * there are no `authorization_details`, and an approval that reaches one of the `acr_values` asked for. Default: none. Single
   * clients are held to it by the client metadata `ciba_profile`.
   */
  readonly profile?: 'fapi-ciba' | undefined;
  /**
   * An ioredis client or cluster that says where the store is; the plugin opens connections of its own to it, with bounded
   * times. Default: none, requests live in the memory of this process, which is for development.
   */
  readonly redis?: RedisClient | undefined;
  /**
   * Replicas of `redis` that must have a decision, a claim, a redemption and the body of a push before it counts (`WAIT`): what they do not
   * acknowledge in time is answered 503, and no tokens leave. Without it a redemption that no replica has when the primary is lost can be
   * made once more. It needs `redis`. Default: none are waited for.
   */
  readonly replicas?: ReplicaOptions | undefined;
  /** What every Redis key begins with; give each issuer its own. 1 to 64 characters of `A-Za-z0-9._:-`. Default `ciba`. */
  readonly prefix?: string | undefined;
  /**
   * Encrypts the texts of requests in Redis (AES-256-GCM): what was asked for and decided, how far the chain is, and the `auth_req_id`, the
   * notification token and the tokens that wait to be told. Ids of clients and accounts, states and times are not encrypted. What cannot be
   * read is answered 503. Default: none, they are stored as they are. Requests in memory are never encrypted.
   */
  readonly encryption?: EncryptionOptions | undefined;
  /**
   * Least time between two polls, in seconds, told in the acknowledgement (CIBA Core 7.3). 1 to 60. Default 5. A client's
   * `ciba_polling_interval` goes before it.
   */
  readonly interval?: number | undefined;
  /**
   * Life of a request, in seconds, where the client does not ask for one. 10 to 86400, at most `maxExpiry`. Default 300. A
   * client's `ciba_default_expiry` and the provider's `ttl.BackchannelAuthenticationRequest` go before it.
   */
  readonly defaultExpiry?: number | undefined;
  /**
   * Longest life that a client may ask for, in seconds: a longer `requested_expiry` is cut to it, and the acknowledgement says
   * so (CIBA Core 7.1). 10 to 86400. Default 600. A client's `ciba_max_expiry` goes before it.
   */
  readonly maxExpiry?: number | undefined;
  /**
   * How long the outcome of an ended request is still told (`expired_token`, `access_denied`), in seconds. 60 to 86400.
   * Default 600.
   */
  readonly retention?: number | undefined;
  /**
   * How long a client whose connection broke may come again for the very same token response, in seconds, with the same authentication
   * and key. 0 to 60. Default 0: a request is redeemed once, whatever becomes of the answer. What is kept is encrypted with the
   * `auth_req_id`, which is not stored.
   */
  readonly replayGrace?: number | undefined;
  /**
   * How long a client's secret that the provider has checked need not be checked again to say that a request is still pending, in seconds.
   * Everything else is always checked. A secret that was changed hears no more than that. 0 to 300, with 0 every poll is checked. Default 60.
   * Middleware of `provider.use()` or behind the router, and the provider's events, do not see such polls.
   */
  readonly rememberCredentials?: number | undefined;
  /**
   * Lets polls be held until the request is decided, or for 30 seconds at most. All processes need it: those that decide tell the others. Default:
   * none, every poll is answered at once.
   */
  readonly longPolling?: LongPollingOptions | undefined;
  /**
   * How often people may be asked, one by one below, or `false` for no such limit; what a person has reported, and wrong user codes, count all the same.
   * Default: each its own.
   */
  readonly limits?: LimitOptions | false | undefined;
  /**
   * Finds the account of a `login_hint` (CIBA Core 7.1). Return nothing for an unknown one, which is then answered
   * `unknown_user_id`; throw an oidc-provider error for any other answer. Default: `login_hint` is refused.
   */
  readonly resolveLoginHint?:
    | ((hint: string, ctx: KoaContextWithOIDC) => Promise<string | undefined> | string | undefined)
    | undefined;
  /**
   * Whether clients are kept from finding out whom the server knows: a `login_hint` that leads to nobody is acknowledged as any other,
   * nobody is prompted, and the request expires (CIBA Core 14). `request.refused` tells the operator. A person who can be hinted in several ways, or
   * whom other clients ask as well, meets limits sooner than nobody does. Default `false`: such a hint is answered `unknown_user_id`.
   */
  readonly hideUnknownUsers?: boolean | undefined;
  /** Takes `login_hint_token`s, one by one below. Default: they are refused. */
  readonly loginHintToken?: LoginHintTokenOptions | undefined;
  /**
   * How long ago an ID Token that comes as an `id_token_hint` may have been issued, in seconds; whether it has expired does not matter
   * (CIBA Core 14). An older one is answered `invalid_request`. 60 to 31536000. Default 2592000, 30 days.
   */
  readonly idTokenHintMaxAge?: number | undefined;
  /**
   * Finds the account behind a pairwise subject, for an `id_token_hint` of a client with `subject_type` `pairwise` (CIBA Core
   * 15). Default: such hints are answered `unknown_user_id`.
   */
  readonly resolvePairwiseSubject?:
    | ((subject: string, client: ClientMetadata) => Promise<string | undefined> | string | undefined)
    | undefined;
  /**
   * Says whether a `user_code` is the account's (CIBA Core 7.1.2). It is asked only for clients registered with
   * `backchannel_user_code_parameter`, before anybody is prompted. Default: none, and discovery says that user codes are not
   * supported.
   */
  readonly verifyUserCode?: ((accountId: string, userCode: string) => Promise<boolean> | boolean) | undefined;
  /**
   * Whether an approval must have reached one of the `acr_values` that the client asked for. Default `false`: they are a
   * preference (OIDC Core 3.1.2.1), and `request.approved` says whether it was met. An essential `acr` claim is always
   * insisted on.
   */
  readonly requireAcr?: boolean | undefined;
  /**
   * Says who is asking the decision endpoints, or nothing for nobody, which is answered 401. Default: none, and the endpoints
   * are not mounted. A browser session may be what it looks at: the endpoints take decisions only as `application/json`, which
   * no other site's form can send.
   */
  readonly authenticateDecision?:
    | ((req: Request) => Promise<Decider | undefined> | Decider | undefined)
    | undefined;
  /** Where the router mounts the decision endpoints. A path that begins with `/`. Default `/ciba/requests`. */
  readonly decisionPath?: string | undefined;
  /**
   * How people are reached: each is given a prompt with a link to the decision page. They are tried in this order, the next one when
   * nobody has decided for 20 seconds, or when one fails. Default: none; `request.accepted` and the server's own hook tell.
   */
  readonly channels?: readonly Channel[] | undefined;
  /**
   * The order in which channels are tried for this person and client. An empty list reaches nobody. Default: all, in the order of
   * `channels`.
   */
  readonly chain?:
    | ((request: RequestView) => Promise<readonly ChainStep[]> | readonly ChainStep[])
    | undefined;
  /**
   * Says who has opened the link of a prompt, as the server's own login knows. Return nothing for nobody: then the page offers a
   * passkey, or, where the callback has answered itself (a redirect to the server's login, say), nothing more is sent. Default:
   * none, and there is no decision page and no link.
   */
  readonly interaction?:
    | ((
        req: Request,
        res: Response,
        context: InteractionContext,
      ) => Promise<Decider | undefined> | Decider | undefined)
    | undefined;
  /** The decision page, one by one below. Default: each its own. */
  readonly page?: PageOptions | undefined;
  /** How clients registered for ping or push are told (CIBA Core 10.2, 10.3), one by one below. Default: each its own. */
  readonly delivery?: DeliveryOptions | undefined;
  /**
   * Takes the messages of a widely read tutorial as it prints them (`docs/tutorial.md`), one by one below, from the clients that an
   * administrator has given the metadata `ciba_compat: true`; `ciba_compat_subject` is the `login_hint` that stands for such a client where it
   * sends none, and it must send a `user_code`. Everybody else's messages are not touched, discovery does not change, and every use is told
   * by a `Deprecation` header and `compat.used`. It cannot be had together with `profile`. Default: none, only the standard is spoken.
   */
  readonly compat?: CompatOptions | undefined;
  /**
   * Milliseconds added to the store's clock, asked at each step: with it, tests move time instead of waiting for it. Default
   * `() => 0`.
   */
  readonly timeOffset?: (() => number) | undefined;
}
