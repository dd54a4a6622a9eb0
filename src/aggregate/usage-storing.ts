/**
 * Stores flushes of usage whose reporters have been told, while further ones are decided: in their order, and as many
 * together as have gathered, since an insert costs ClickHouse 10–30 ms of processor whatever it carries. What it has to
 * store stands in the manifests, so a crash anywhere leaves it to the next owner. How far it may lag is bounded by the
 * batches that a worker may have in hand.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Delivery } from '../queue/ledger.ts';
import { tallyOf } from './decide.ts';
import { type Attempt, deliveriesOf, type FlushParts, insertOwned } from './flush-parts.ts';
import type { CustomerFeature, MeasurementRow } from './flush-store.ts';
import { StoringFailedError } from './persistence.ts';
import type { FlushPlan } from './plan.ts';
import type { TouchedUsage } from './touched-usage.ts';
import { featureKey } from './usage-states.ts';

/** A flush that has begun, with what it stores. */
export interface AcknowledgedFlush {
  readonly plan: FlushPlan;
  readonly rows: readonly MeasurementRow[];
  readonly attempt: Attempt;
}

export interface UsageStoringEvents {
  /** The batches are done with. */
  readonly stored: (deliveries: readonly Delivery[]) => void;
  /** Nothing more is stored; the worker has to end. */
  readonly failed: () => void;
}

/** From one insert to the next, unless somebody waits: ten a second cost a quarter of a core. */
const pauseMs = 100;
/** Of one insert; some 20 MB. */
const rowsMax = 20_000;

export class UsageStoring {
  readonly #parts: FlushParts;
  readonly #touched: TouchedUsage;
  readonly #events: UsageStoringEvents;
  #waiting: AcknowledgedFlush[] = [];
  /** By `featureKey`: of how many flushes that wait. */
  readonly #features = new Map<string, number>();
  /** Never rejects. */
  #work: Promise<void> | undefined;
  #failure: StoringFailedError | undefined;
  #haste = new AbortController();

  constructor(parts: FlushParts, touched: TouchedUsage, events: UsageStoringEvents) {
    this.#parts = parts;
    this.#touched = touched;
    this.#events = events;
  }

  add(flush: AcknowledgedFlush): void {
    if (this.#failure !== undefined) return;
    this.#waiting.push(flush);
    for (const key of featuresOf(flush)) this.#features.set(key, (this.#features.get(key) ?? 0) + 1);
    this.#work ??= this.#storeAll();
  }

  /** Whether any of these customers' features has usage that is not stored yet. */
  awaits(features: readonly CustomerFeature[]): boolean {
    return this.#features.size > 0 && features.some((each) => this.#features.has(featureKey(each)));
  }

  /** Resolves once all that was added is stored and booked. Rejects when that has become impossible. */
  async idle(): Promise<void> {
    this.#haste.abort();
    await this.#work;
    this.throwIfFailed();
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** At once, while nothing waits: what an earlier owner has tried to store under this token. */
  again(flushes: readonly AcknowledgedFlush[], token: string): Promise<void> {
    return this.#store(flushes, token);
  }

  async #storeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const startedAt = performance.now();
        const flushes = this.#waiting.slice(0, this.#fitting());
        await this.#store(flushes, await this.#tokenOf(flushes));
        this.#waiting = this.#waiting.slice(flushes.length);
        for (const key of flushes.flatMap(featuresOf)) this.#forget(key);
        this.#events.stored(flushes.flatMap(({ plan }) => deliveriesOf(plan)));
        if (this.#waiting.length > 0) await this.#pause(startedAt + pauseMs - performance.now());
      }
    } catch (error) {
      this.#failure = new StoringFailedError('acknowledged usage cannot be stored', { cause: error });
      this.#events.failed();
    }
    this.#haste = new AbortController();
    this.#work = undefined;
  }

  async #store(flushes: readonly AcknowledgedFlush[], token: string): Promise<void> {
    const { ledger, store, metrics, checkpoint, clock } = this.#parts;
    const rows = flushes.flatMap((flush) => flush.rows);
    const attempt = flushes.some((flush) => flush.attempt === 'repeat') ? 'repeat' : 'first';
    // A crash in the insert: some partitions may be written. The redo sends what is missing under the same token,
    // and looks whether all is there.
    const inserting = metrics.time('measurements', async () => {
      const inserts = {
        first: () => store.insertMeasurements(token, rows),
        repeat: () => store.repeatMeasurements(token, rows),
      };
      // Its reporters were told, so it is never given up.
      const isFinal = (): Promise<boolean> => Promise.resolve(false);
      if (rows.length > 0) await insertOwned(this.#parts, 'measurements', attempt, inserts, isFinal);
    });
    await Promise.all([inserting, checkpoint('duringStore')]);
    await checkpoint('afterStore');
    // A crash before: the redo writes the same customers down. After: they are looked at once more.
    await this.#touched.byReports(rows);
    await checkpoint('afterReported');
    // A crash before: redone, adding nothing. After: the batches are gone from the queue.
    await metrics.time('finish', () =>
      ledger.book(
        flushes.map(({ plan: { manifest } }) => ({
          flushId: manifest.flushId,
          tally: tallyOf(manifest.decisions),
        })),
      ),
    );
    await checkpoint('afterBook');
    const now = clock.now();
    for (const { plan } of flushes) {
      metrics.flushed(
        plan.manifest.decisions.length,
        deliveriesOf(plan).map(({ sealedAt }) => now - sealedAt),
      );
    }
  }

  /** One flush alone has its own; several get one that is written down first. */
  async #tokenOf(flushes: readonly AcknowledgedFlush[]): Promise<string> {
    const { ledger, checkpoint } = this.#parts;
    const [first, last] = [flushes[0]?.plan.manifest, flushes.at(-1)?.plan.manifest];
    if (first === undefined || last === undefined) throw new RangeError('no flush has no token');
    const token = first === last ? first.token : randomUUID();
    // A crash before: each flush is stored by itself. After: all together.
    if (first !== last) await ledger.bundle({ token, firstFlush: first.flushId, lastFlush: last.flushId });
    await checkpoint('afterBundle');
    return token;
  }

  #fitting(): number {
    let rows = 0;
    const over = this.#waiting.findIndex((flush) => {
      rows += flush.rows.length;
      return rows > rowsMax;
    });
    return over < 0 ? this.#waiting.length : Math.max(1, over);
  }

  #forget(key: string): void {
    const left = (this.#features.get(key) ?? 0) - 1;
    if (left > 0) this.#features.set(key, left);
    else this.#features.delete(key);
  }

  async #pause(forMs: number): Promise<void> {
    if (forMs <= 0) return;
    const { signal } = this.#haste;
    await delay(forMs, undefined, { signal }).catch(() => undefined);
  }
}

function featuresOf({ rows }: AcknowledgedFlush): readonly string[] {
  return [...new Set(rows.map(featureKey))];
}
