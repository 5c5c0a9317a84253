/** News of decisions, whichever process took them. A message may be lost: then only `Store.statusOf` tells. */
export interface Decisions {
  /**
   * Calls `heard` with the handle of each request that is decided from now on, and with nothing where some may have been missed. It
   * is called once; what it gives resolves when the first can be heard.
   */
  listen(heard: (handle?: string) => void): Promise<void>;
}
