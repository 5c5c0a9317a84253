// What the pages take as given: the server of their reader, who has users, sessions and a database. Blocks of code are compiled beside it.
import type { createBullBoard as CreateBullBoard } from '@bull-board/api';
import type { BullMQAdapter as Adapter } from '@bull-board/api/bullMQAdapter';
import type { ExpressAdapter } from '@bull-board/express';
import type { Queue as BullQueue } from 'bullmq';
import type { Express as App } from 'express';
import type { Redis as Client } from 'ioredis';
import type { JWK } from 'jose';
import type Server from 'oidc-provider';
import type { AdapterFactory, ClientMetadata, FindAccount } from 'oidc-provider';
import type { Channel, Ciba, CibaOptions, createCiba as Create, StoredPasskey } from 'oidc-provider-ciba';
import type { Subscription } from 'oidc-provider-ciba/channels/web-push';

interface User {
  readonly id: string;
  readonly email: string;
  readonly phone: string;
  readonly userCodeHash?: string;
}

interface Session {
  readonly userId: string;
  readonly acr?: string;
  readonly amr?: readonly string[];
  readonly authTime?: number;
}

declare global {
  const createCiba: typeof Create;
  const ciba: Ciba;
  const provider: Server;
  const app: App;
  const redis: Client;
  const issuer: string;
  const clients: ClientMetadata[];
  const findAccount: FindAccount;
  const adapter: AdapterFactory;
  const YourAdapter: AdapterFactory;
  const cookieKeys: string[];
  const handle: string;
  const authTime: number;

  const resolveLoginHint: NonNullable<CibaOptions['resolveLoginHint']>;
  const verifyUserCode: NonNullable<CibaOptions['verifyUserCode']>;
  const interaction: NonNullable<CibaOptions['interaction']>;
  const users: {
    get(id: string | undefined): Promise<User | undefined>;
    byEmail(email: string): Promise<User | undefined>;
    byPhone(phone: string): Promise<User | undefined>;
    byPassword(email: string, password: string): Promise<User | undefined>;
    isPassword(id: string, typed: string): Promise<boolean>;
    setUserCode(id: string, hash: string): Promise<void>;
  };
  const sessions: { of(req: object): Promise<Session | undefined> };
  const sessionSecret: string;
  const sessionStore: object;
  const appTokens: {
    check(header: string | undefined): Promise<{ userId: string; unlockedAt: number } | undefined>;
  };
  const blocks: {
    add(accountId: string, clientId: string): Promise<void>;
    remove(accountId: string, clientId: string): Promise<void>;
  };
  const people: { isAsleep(accountId: string): Promise<boolean> };
  const inbox: { show(accountId: string, handle: string): void };
  const passkeys: {
    of(accountId: string): Promise<StoredPasskey[]>;
    setCounter(accountId: string, id: string, counter: number): Promise<void>;
    add(accountId: string, passkey: StoredPasskey): Promise<void>;
  };
  const loginForm: (parts: { returnTo: string; problem?: string }) => string;

  const phone: Channel;
  const mail: Channel;
  const text: Channel;
  const desk: Channel;
  const desks: { of(accountId: string): Promise<number | undefined>; disconnect(): Promise<void> };
  const devices: {
    of(accountId: string): Promise<Subscription[]>;
    add(accountId: string, subscription: Subscription): Promise<void>;
    remove(accountId: string, endpoint: string): Promise<void>;
    removeFromAll(endpoint: string): Promise<void>;
  };
  const jobs: { add(id: string, message: object): Promise<void> };
  const switches: { off(): Promise<string[]> };
  const vapid: { subject: string; publicKey: string; privateKey: string };
  const vapidPublicKey: string;
  const vapidPrivateKey: string;
  const transport: string;
  const smtpPassword: string;
  const gatewayToken: string;
  const twilioAccountSid: string;
  const twilioAuthToken: string;
  const webhookSecret: string;
  const corpCertificate: string;
  const deviceSecret: string;
  const shopKey: JWK;

  const http: typeof import('node:http');
  const log: {
    error(fields: object, text: string): void;
    warn(fields: object, text: string): void;
    info(fields: object): void;
  };
  const failures: { inc(labels: object): void };
  const Queue: typeof BullQueue;
  const createBullBoard: typeof CreateBullBoard;
  const BullMQAdapter: typeof Adapter;
  const serverAdapter: ExpressAdapter;
}
