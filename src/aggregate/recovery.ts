/** What a new owner of the shard does before it takes any batch. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Ledger } from '../queue/ledger.ts';
import type { Logger } from '../telemetry.ts';
import type { FlushStore } from './flush-store.ts';
import type { IdentityTable } from './identity-table.ts';
import type { Persistence } from './persistence.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

/**
 * The newest flush that anybody knows. ClickHouse may know a newer one than Redis, which can lose its newest
 * writes or all of them; a flush id that was used is never used again, or its rows would be taken for stored.
 */
export async function lastFlushId(
  ledger: Ledger,
  store: FlushStore,
  persistence: Persistence,
): Promise<number> {
  const begun = await persistence.until('recover', () => ledger.lastFlushId());
  const stored = await persistence.until('recover', () => store.newestFlush());
  return Math.max(begun, stored);
}

export interface OutliveParts {
  readonly ledger: Ledger;
  readonly store: FlushStore;
  readonly isStoring: () => Promise<boolean>;
  readonly persistence: Persistence;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const storingLookMs = 100;

/**
 * A Redis that was emptied tells neither of the flush that was in hand nor of the owner who had it, and who may be
 * storing it still: what this one decided meanwhile would count again what that one is about to store. So it waits
 * until nobody can begin an insert, and then until none is under way. Where nothing was ever stored nobody is waited for.
 */
export async function outliveForgotten(parts: OutliveParts): Promise<void> {
  const { ledger, store, isStoring, persistence, logger, signal } = parts;
  if ((await persistence.until('recover', () => store.newestFlush())) === 0) return;
  if ((await ledger.outliveForgotten(signal)) === 'known') return;
  logger.warn('Redis knows of no owner of the shard: what it had beside the queue is lost');
  while (await persistence.until('recover', isStoring)) await delay(storingLookMs, undefined, { signal });
}

export interface RebuildParts {
  readonly store: FlushStore;
  readonly table: IdentityTable;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: WorkerMetrics;
  readonly persistence: Persistence;
}

/**
 * Fills the table of identities from what is stored: one snapshot, whose size is then compared with a count.
 * They differ when a part was missed, or when an insert of an owner before us arrived in between; then all is
 * read again. This is the only way claims are released, so it also follows a flush that was given up.
 */
export async function rebuildTable({
  store,
  table,
  clock,
  logger,
  metrics,
  persistence,
}: RebuildParts): Promise<void> {
  const startedAt = clock.now();
  const windowStart = startedAt - table.windowMs - spareMs(table.windowMs);
  const rows = await metrics.time('rebuild', () =>
    persistence.until('rebuild', async () => {
      // A window may hold a hundred times what memory may: reading all of it would keep the shard still for hours.
      const since = await store.sinceWithin(windowStart, table.entriesMax);
      const read = await loadTable(store, table, since);
      const stored = await store.countSince(since);
      if (read !== stored)
        throw new IncompleteReadError(`read ${read} identities where ${stored} are stored`);
      return read;
    }),
  );
  const tookMs = clock.now() - startedAt;
  logger.info({ identities: rows, tookMs }, 'the table of identities is rebuilt');
}

/**
 * Batches that waited were received a while ago, and each of their events is looked up in ClickHouse when the
 * table does not reach back a window from there. An hour of spare memory covers an hour of backlog.
 */
function spareMs(windowMs: number): number {
  return Math.min(3_600_000, windowMs / 8);
}

/** Returns the number of rows read. */
async function loadTable(store: FlushStore, table: IdentityTable, since: number): Promise<number> {
  table.clear(since);
  let rows = 0;
  for await (const page of store.identitiesSince(since)) {
    table.load(page);
    rows += page.count;
  }
  return rows;
}

class IncompleteReadError extends Error {
  readonly code = 'INCOMPLETE_READ';
  readonly retryable = true;
}
