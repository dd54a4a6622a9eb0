/**
 * Usage is acknowledged before it is stored (decision 10), some tens of milliseconds at most. Whoever asks the store
 * for it waits until what had been acknowledged by then is there, so that everybody reads what they wrote.
 */
import type { UsageTallies } from './live-counters.ts';
import type { UsageReader } from './usage.ts';

export interface AcknowledgedUsage {
  /**
   * Resolves once everything that was acknowledged before the call is stored. Fails with `QueueUnavailableError` when it
   * cannot be told, or when nobody stores it.
   */
  stored(): Promise<void>;
}

export function settledReader(reader: UsageReader, acknowledged: AcknowledgedUsage): UsageReader {
  return {
    currentUsage: (...asked) => acknowledged.stored().then(() => reader.currentUsage(...asked)),
    history: (query) => acknowledged.stored().then(() => reader.history(query)),
    reported: (query) => acknowledged.stored().then(() => reader.reported(query)),
  };
}

export function settledTallies(tallies: UsageTallies, acknowledged: AcknowledgedUsage): UsageTallies {
  return { tally: (...asked) => acknowledged.stored().then(() => tallies.tally(...asked)) };
}
