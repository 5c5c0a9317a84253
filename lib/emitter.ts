import { EventEmitter } from 'node:events';
import { auditEntryOf } from './audit.js';
import type { CibaEventName, CibaEvents, CibaListener, Timing } from './events.js';

/** Emits {@link CibaEvents}. A listener that throws or rejects never reaches the request that told it. */
export class Emitter {
  readonly #emitter = new EventEmitter();

  on<Name extends CibaEventName>(name: Name, listener: CibaListener<Name>): () => void {
    const guarded = async (event: CibaEvents[Name]): Promise<void> => {
      try {
        await listener(event);
      } catch (cause) {
        process.emitWarning(
          `a listener of ${name} failed: ${cause instanceof Error ? `${cause.name}: ${cause.message}` : typeof cause}`,
          'CibaWarning',
        );
      }
    };
    this.#emitter.on(name, guarded);
    return () => {
      this.#emitter.off(name, guarded);
    };
  }

  emit<Name extends CibaEventName>(name: Name, event: CibaEvents[Name]): void {
    this.#emitter.emit(name, event);
    if (!this.hears('audit')) return;
    const entry = auditEntryOf(name, event);
    if (entry) this.#emitter.emit('audit', entry);
  }

  /** Whether anybody listens: what is only for listeners need not be found out otherwise. */
  hears(name: CibaEventName): boolean {
    return this.#emitter.listenerCount(name) > 0;
  }

  /** Tells how long something took, which is looked at only where somebody listens. */
  time(timing: () => Pick<Timing, 'of' | 'seconds' | 'outcome'> & Partial<Timing>): void {
    if (!this.hears('timing')) return;
    const unsaid = { failed: false, kind: undefined, handle: undefined, clientId: undefined };
    this.#emitter.emit('timing', { ...unsaid, ...timing() } satisfies Timing);
  }

  removeAll(): void {
    this.#emitter.removeAllListeners();
  }
}
