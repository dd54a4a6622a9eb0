import { KindSnapshot } from '../records/kind-snapshot.ts';
import type { RecordStore, StoredRecord } from '../records/record-store.ts';
import type { Package } from './package.ts';

/**
 * Features whose usage is told when it reaches a threshold, by refId: of all versions of all packages, since
 * subscriptions may be on any of them. One small question while no package changes.
 */
export class RecordWatchedFeatures {
  readonly #snapshot: KindSnapshot<ReadonlySet<string>>;

  constructor(records: RecordStore) {
    this.#snapshot = new KindSnapshot(records, 'package', watchedIn);
  }

  /** The very same set until a package changes. */
  features(): Promise<ReadonlySet<string>> {
    return this.#snapshot.current();
  }
}

function watchedIn(records: readonly StoredRecord[]): ReadonlySet<string> {
  const watched = new Set<string>();
  for (const { body } of records) {
    for (const { content } of (body as Package).versions) {
      for (const { featureId, usageThresholds = [] } of content.entitlements) {
        if (usageThresholds.length > 0) watched.add(featureId);
      }
    }
  }
  return watched;
}
