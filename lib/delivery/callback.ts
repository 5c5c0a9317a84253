/** The modes in which a client is told (CIBA Core 5). */
export type TellingMode = 'ping' | 'push';

/** The key that a push's tokens are bound to, shown at the backchannel endpoint (RFC 8705 3.1, RFC 9449 6.1). */
export interface SenderConstraint {
  readonly 'x5t#S256'?: string | undefined;
  readonly jkt?: string | undefined;
}

/** What a client is told with: secret, and kept only until it has been told. */
export interface Callback {
  readonly authReqId: string;
  /** The `client_notification_token` (CIBA Core 7.1). */
  readonly token: string;
  /** Where the client was registered to be told when it asked. */
  readonly endpoint: string | undefined;
  readonly constraint?: SenderConstraint | undefined;
}
