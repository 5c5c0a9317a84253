/** How a store does. */
export interface StoreHealth {
  /** `ok`: it answers and takes writes. `read_only`: it answers and takes none. `unavailable`: it did not answer in time. */
  readonly state: 'ok' | 'read_only' | 'unavailable';
  /** Why it is not `ok`: a word of Redis's, such as `READONLY`, `OOM` or `MISCONF`, or `timeout`, `connection`. */
  readonly reason: string | undefined;
  /** How long it took to answer, in milliseconds. */
  readonly latency: number | undefined;
  /**
   * How often a look at it has found another server than the look before: one that was restarted, or another one after a failover. Of a cluster,
   * and where Redis does not tell, nothing.
   */
  readonly restarts: number | undefined;
  /** What Redis does when its memory is full; other than `noeviction` it forgets requests. Nothing where it does not tell. */
  readonly evictionPolicy: string | undefined;
}
