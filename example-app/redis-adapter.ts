import type { ChainableCommander, Redis } from 'ioredis';
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';

/** The models that end together with their grant. */
const GRANTABLE: ReadonlySet<string> = new Set([
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
]);

const grantKey = (grantId: string): string => `oidc:grant:${grantId}`;
const uidKey = (uid: string): string => `oidc:uid:${uid}`;
const userCodeKey = (userCode: string): string => `oidc:userCode:${userCode}`;

/**
 * Keeps the provider's models in one Redis server: a hash a model, with its JSON in `payload` and its time of use in
 * `consumed`, and keys that lead from a grant, a session's `uid` and a user code to the models. A cluster needs hash tags that
 * put these on one slot.
 */
export function redisAdapter(redis: Redis): AdapterFactory {
  return (model) => new RedisAdapter(redis, model);
}

class RedisAdapter implements Adapter {
  readonly #redis: Redis;
  readonly #model: string;

  constructor(redis: Redis, model: string) {
    this.#redis = redis;
    this.#model = model;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const key = this.#key(id);
    const { grantId, uid, userCode } = payload;
    const multi = this.#redis.multi().hset(key, 'payload', JSON.stringify(payload));
    expireIn(multi, key, expiresIn);
    if (grantId && GRANTABLE.has(this.#model)) {
      const index = grantKey(grantId);
      multi.sadd(index, key);
      // The index lives as long as the longest lived of what it leads to.
      const left = await this.#redis.ttl(index);
      if (!expiresIn) multi.persist(index);
      else if (left === -2 || (left >= 0 && expiresIn > left)) multi.expire(index, expiresIn);
    }
    if (uid) setIn(multi, uidKey(uid), id, expiresIn);
    if (userCode) setIn(multi, userCodeKey(userCode), id, expiresIn);
    await execute(multi);
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const { payload, consumed } = await this.#redis.hgetall(this.#key(id));
    // A model that ended between its look-up and `consume` is left as a hash without a payload.
    if (payload === undefined) return undefined;
    const found = JSON.parse(payload) as AdapterPayload;
    return consumed === undefined ? found : { ...found, consumed: Number(consumed) };
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#follow(uidKey(uid));
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#follow(userCodeKey(userCode));
  }

  async consume(id: string): Promise<void> {
    await this.#redis.hset(this.#key(id), 'consumed', Math.floor(Date.now() / 1000));
  }

  async destroy(id: string): Promise<void> {
    const key = this.#key(id);
    const found = await this.find(id);
    const multi = this.#redis.multi().del(key);
    if (found?.grantId) multi.srem(grantKey(found.grantId), key);
    if (found?.uid) multi.del(uidKey(found.uid));
    if (found?.userCode) multi.del(userCodeKey(found.userCode));
    await execute(multi);
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    const index = grantKey(grantId);
    const keys = await this.#redis.smembers(index);
    await execute(this.#redis.multi().del(...keys, index));
  }

  async #follow(index: string): Promise<AdapterPayload | undefined> {
    const id = await this.#redis.get(index);
    return id === null ? undefined : this.find(id);
  }

  #key(id: string): string {
    return `oidc:${this.#model}:${id}`;
  }
}

function expireIn(multi: ChainableCommander, key: string, expiresIn: number | undefined): void {
  if (expiresIn) multi.expire(key, expiresIn);
  else multi.persist(key);
}

function setIn(multi: ChainableCommander, key: string, value: string, expiresIn: number | undefined): void {
  if (expiresIn) multi.set(key, value, 'EX', expiresIn);
  else multi.set(key, value);
}

/** A command that failed within MULTI does not make `exec` fail. */
async function execute(multi: ChainableCommander): Promise<void> {
  for (const [error] of (await multi.exec()) ?? []) {
    if (error) throw error;
  }
}
