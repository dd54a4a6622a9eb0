/**
 * A version that subscriptions move to by themselves, as a record that is made with the version and is there until
 * all of them have been seen to: whoever stops on the way, another one goes on from the last page.
 */
import type { RecordPlace, RecordRef, RecordWrite } from '../records/record-store.ts';
import { latestVersion, type Package } from './package.ts';

export interface PackageRollout {
  /** The package's refId. */
  readonly packageId: string;
  readonly versionNumber: number;
  readonly publishedAt: number;
  /** Null at the beginning of a pass. */
  readonly after: RecordPlace | null;
  /** The second pass finds what was decided on the catalog as it was before, and committed behind the first one. */
  readonly pass: 1 | 2;
}

/** The index of rollouts, by when there is something to do. */
export const rolloutsIndex = 'pending';

/** How long after the publishing a decision on the catalog of before may still be committed; far more than it takes. */
const secondPassAfterMs = 60_000;

export function rolloutRef({ packageId, versionNumber }: PackageRollout): RecordRef {
  // No refId has a slash.
  return { kind: 'package-rollout', key: `${packageId}/${versionNumber}` };
}

export function rolloutWrite(rollout: PackageRollout, expectedVersion: number): RecordWrite {
  const { publishedAt, pass } = rollout;
  const score = pass === 1 ? publishedAt : publishedAt + secondPassAfterMs;
  const indexes = [{ name: rolloutsIndex, score }];
  return { ...rolloutRef(rollout), expectedVersion, body: rollout, indexes };
}

/** What the change of a package begins: nothing, but for a new version that is for all customers. */
export function rolloutsBegun(before: Package | undefined, after: Package): readonly PackageRollout[] {
  const latest = latestVersion(after);
  const isNew = after.versions.length > (before?.versions.length ?? 0);
  if (latest?.migrationType !== 'ALL_CUSTOMERS' || !isNew || latest.versionNumber === 1) return [];
  const { versionNumber, publishedAt } = latest;
  return [{ packageId: after.refId, versionNumber, publishedAt, after: null, pass: 1 }];
}
