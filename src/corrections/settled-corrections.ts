/** Whoever was just told of a measurement may correct it, also before it is stored. */
import type { AcknowledgedUsage } from '../usage/settled-usage.ts';
import type { CorrectionStore } from './correction.ts';

export function settledCorrections(store: CorrectionStore, acknowledged: AcknowledgedUsage): CorrectionStore {
  return {
    find: (name) => acknowledged.stored().then(() => store.find(name)),
    of: (items) => store.of(items),
    insert: (corrected) => store.insert(corrected),
  };
}
