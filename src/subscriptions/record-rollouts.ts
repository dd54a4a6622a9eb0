import { type PackageRollout, rolloutRef, rolloutsIndex, rolloutWrite } from '../catalog/package-rollout.ts';
import type { Clock } from '../clock.ts';
import { changeRecords } from '../records/change-records.ts';
import type { Audit, RecordStore, StoredRecord } from '../records/record-store.ts';
import { bookOf, bookRef, bookRewrite, subscribersIndex, subscriptionOf } from './subscription-record.ts';
import type { Subscription } from './subscription.ts';

export interface RolloutOptions {
  readonly records: RecordStore;
  readonly clock: Clock;
  /**
   * Brings the customer's subscriptions up to the catalog of now; doing it again changes nothing. False: that failed,
   * and for no fault of a store's.
   */
  readonly settle: (customerId: string) => Promise<boolean>;
}

/**
 * Finds the subscriptions that a version published for everybody reaches: page by page of those who have the
 * package, each page once a pass and one record to remember it. What becomes of a subscription is for `advance`
 * to say, so that several who are at the same page move it once.
 */
export class RecordRollouts {
  readonly #options: RolloutOptions;

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  /** Sees to at most so many subscriptions; false when there was nothing to do. */
  async step(subscriptionsMax: number, audit: Audit): Promise<boolean> {
    const { records, clock, settle } = this.#options;
    const pending = await records.page({
      ...firstPage,
      kind: 'package-rollout',
      indexes: [rolloutsIndex],
      scoreBefore: clock.now() + 1,
      limit: 1,
    });
    const [record] = pending.records;
    if (record === undefined) return false;
    const rollout = record.body as PackageRollout;
    const page = await records.page({
      ...firstPage,
      kind: 'subscription',
      indexes: [subscribersIndex(rollout.packageId)],
      after: rollout.after,
      limit: subscriptionsMax,
    });
    const behind = page.records
      .map(subscriptionOf)
      .filter((item) => item !== undefined && isBehind(item, rollout));
    const customerIds = new Set(behind.flatMap((item) => (item === undefined ? [] : [item.customerId])));
    await Promise.all(
      [...customerIds].map(async (customerId) => {
        if (!(await settle(customerId))) await this.#leaveToTime(customerId, audit);
      }),
    );
    await this.#remember(record, rollout, page.hasNextPage ? page.records.at(-1) : undefined, audit);
    return true;
  }

  /**
   * Time has something to do for the customer from now on, so whoever keeps it going tries again until it is done, and
   * the rollout goes on to the others.
   */
  async #leaveToTime(customerId: string, audit: Audit): Promise<void> {
    const { records, clock } = this.#options;
    await changeRecords(records, [bookRef(customerId)], audit, ([book]) => {
      const { dueAt, isHidden } = bookOf(customerId, book);
      const now = clock.now();
      const isLeft = isHidden || (dueAt !== null && dueAt <= now);
      return { writes: isLeft ? [] : [bookRewrite(customerId, book, { dueAt: now })], result: undefined };
    });
  }

  /** Who comes second to the end of a page has nothing to add. */
  async #remember(
    { version }: StoredRecord,
    rollout: PackageRollout,
    last: StoredRecord | undefined,
    audit: Audit,
  ): Promise<void> {
    const ref = rolloutRef(rollout);
    const createdAt = subscriptionOf(last)?.createdAt;
    await changeRecords(this.#options.records, [ref], audit, ([found]) => {
      if (found?.version !== version) return { writes: [], result: undefined };
      if (last !== undefined && createdAt !== undefined) {
        const after = { score: createdAt, key: last.key };
        return { writes: [rolloutWrite({ ...rollout, after }, version)], result: undefined };
      }
      const write =
        rollout.pass === 1
          ? rolloutWrite({ ...rollout, after: null, pass: 2 }, version)
          : { ...ref, expectedVersion: version, body: null };
      return { writes: [write], result: undefined };
    });
  }
}

const firstPage = {
  scoreFrom: null,
  scoreBefore: null,
  order: 'ascending',
  after: null,
  before: null,
  end: 'first',
} as const;

function isBehind({ planId, planVersion, addons }: Subscription, rollout: PackageRollout): boolean {
  const { packageId, versionNumber } = rollout;
  const versions = addons.filter(({ addonId }) => addonId === packageId).map(({ version }) => version);
  return [...versions, ...(planId === packageId ? [planVersion] : [])].some(
    (version) => version < versionNumber,
  );
}
