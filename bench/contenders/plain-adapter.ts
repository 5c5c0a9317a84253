import type { Redis } from 'ioredis';
import type { Adapter, AdapterPayload } from 'oidc-provider';

/** Models that are consumed: their payload lies in a hash, with the time of that beside it. */
const CONSUMABLE: ReadonlySet<string> = new Set([
  'AuthorizationCode',
  'BackchannelAuthenticationRequest',
  'DeviceCode',
  'RefreshToken',
]);

/**
 * The adapter that a server on Redis writes for oidc-provider: JSON under a key of the model and the id, one round trip to find or consume, one
 * transaction to store, and for each grant a set of what it leads to. It serves the other models of the plugin's server, too.
 */
export function plainAdapter(redis: Redis): (model: string) => Adapter {
  return (model) => new PlainAdapter(redis, model);
}

class PlainAdapter implements Adapter {
  readonly #redis: Redis;
  readonly #model: string;

  constructor(redis: Redis, model: string) {
    this.#redis = redis;
    this.#model = model;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const key = this.#key(id);
    const json = JSON.stringify(payload);
    const isHash = CONSUMABLE.has(this.#model);
    const steps = this.#redis.multi();
    if (isHash) steps.hset(key, 'payload', json);
    else if (expiresIn) steps.set(key, json, 'EX', expiresIn);
    else steps.set(key, json);
    if (isHash && expiresIn) steps.expire(key, expiresIn);
    const { grantId, uid, userCode } = payload;
    if (grantId !== undefined) {
      steps.sadd(grantKey(grantId), key);
      if (expiresIn)
        steps.expire(grantKey(grantId), expiresIn, 'GT').expire(grantKey(grantId), expiresIn, 'NX');
    }
    if (uid !== undefined) steps.set(this.#key(`uid:${uid}`), id, 'EX', expiresIn ?? DAY);
    if (userCode !== undefined) steps.set(this.#key(`code:${userCode}`), id, 'EX', expiresIn ?? DAY);
    await steps.exec();
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const key = this.#key(id);
    if (!CONSUMABLE.has(this.#model)) return parsed(await this.#redis.get(key));
    const { payload, consumed } = await this.#redis.hgetall(key);
    const found = parsed(payload);
    return found && consumed !== undefined ? { ...found, consumed: Number(consumed) } : found;
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findBy(`uid:${uid}`);
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findBy(`code:${userCode}`);
  }

  async consume(id: string): Promise<void> {
    await this.#redis.hset(this.#key(id), 'consumed', Math.floor(Date.now() / 1000));
  }

  async destroy(id: string): Promise<void> {
    await this.#redis.del(this.#key(id));
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    const keys = await this.#redis.smembers(grantKey(grantId));
    await this.#redis.del(grantKey(grantId), ...keys);
  }

  async #findBy(name: string): Promise<AdapterPayload | undefined> {
    const id = await this.#redis.get(this.#key(name));
    return id === null ? undefined : this.find(id);
  }

  #key(id: string): string {
    return `oidc:${this.#model}:${id}`;
  }
}

/** In seconds. */
const DAY = 86_400;

const grantKey = (grantId: string): string => `oidc:grant:${grantId}`;

const parsed = (json: string | null | undefined): AdapterPayload | undefined =>
  json == null ? undefined : (JSON.parse(json) as AdapterPayload);
