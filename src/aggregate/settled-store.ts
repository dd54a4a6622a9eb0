/**
 * Questions about calculated usage to a store that may lag behind what was acknowledged: each waits until what bears on
 * it is stored. Usage that was met lately is in memory, so they are seldom asked.
 */
import type { FlushStore } from './flush-store.ts';
import type { UsageStoring } from './usage-storing.ts';

export type UsageQuestions = Pick<
  FlushStore,
  'acknowledgements' | 'deltasAfter' | 'lookupStored' | 'usageStates' | 'usageTotals'
>;

export class SettledStore implements UsageQuestions {
  readonly #store: UsageQuestions;
  readonly #storing: UsageStoring;

  constructor(store: UsageQuestions, storing: UsageStoring) {
    this.#store = store;
    this.#storing = storing;
  }

  /** The table of identities knows what is on its way to the store, but may have forgotten it at its bound. */
  readonly lookupStored: FlushStore['lookupStored'] = async (keys, windowMs) => {
    if (keys.some(({ kind }) => kind === 'measurement')) await this.#storing.idle();
    return this.#store.lookupStored(keys, windowMs);
  };

  async acknowledgements(
    ...asked: Parameters<FlushStore['acknowledgements']>
  ): ReturnType<FlushStore['acknowledgements']> {
    await this.#storing.idle();
    return this.#store.acknowledgements(...asked);
  }

  async usageStates(
    ...[asks, beforeFlush]: Parameters<FlushStore['usageStates']>
  ): ReturnType<FlushStore['usageStates']> {
    if (this.#storing.awaits(asks)) await this.#storing.idle();
    return this.#store.usageStates(asks, beforeFlush);
  }

  async usageTotals(
    ...[asks, beforeFlush]: Parameters<FlushStore['usageTotals']>
  ): ReturnType<FlushStore['usageTotals']> {
    if (this.#storing.awaits(asks)) await this.#storing.idle();
    return this.#store.usageTotals(asks, beforeFlush);
  }

  async deltasAfter(
    ...[asks, beforeFlush]: Parameters<FlushStore['deltasAfter']>
  ): ReturnType<FlushStore['deltasAfter']> {
    if (this.#storing.awaits(asks)) await this.#storing.idle();
    return this.#store.deltasAfter(asks, beforeFlush);
  }
}
