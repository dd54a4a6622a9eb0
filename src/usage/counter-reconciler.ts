/**
 * Walks all live counters, for ever and slowly, and compares each with ClickHouse at the same flush. One that differs
 * is dropped, and so right again at the next question. Nothing should ever differ: it is there for what nobody thought
 * of, and says so in a metric. On its way it gives up counters that nobody asks for any more, and those of periods
 * that ended long ago.
 */
import { BackgroundLoop, pause } from '../background-loop.ts';
import type { Feature, FeatureCatalog } from '../catalog/feature.ts';
import { subjectNameOf } from '../catalog/usage-subject.ts';
import type { Clock } from '../clock.ts';
import { compareQuantities } from '../quantity.ts';
import type { Logger } from '../telemetry.ts';
import { decodeCounter, periodOf, totalOf } from './live-counter.ts';
import type { CounterPlace, UsageTallies } from './live-counters.ts';
import { usageOf } from './usage-rows.ts';
import { aggregationOf } from './usage-sql.ts';

/** One counter while no flush is being counted. */
export interface CounterInspection {
  /** The flush up to which everything is in it. */
  readonly counted: number;
  /** A text for `decodeCounter`. */
  readonly counter: string;
}

export interface CounterAudit {
  /** Some customers that have counters, and where to go on; a walk begins and ends with the cursor '0'. */
  page(cursor: string): Promise<{ readonly cursor: string; readonly customerIds: readonly string[] }>;
  places(customerId: string): Promise<readonly CounterPlace[]>;
  /** Undefined while a flush is being counted, and for a counter that is void. */
  inspect(place: CounterPlace): Promise<CounterInspection | undefined>;
  drop(place: CounterPlace): Promise<void>;
  /** Generations by subject key. */
  generations(): Promise<ReadonlyMap<string, string>>;
  retire(subjectKey: string, generation: string): Promise<void>;
  /** Gives up counters that were last asked for before then. */
  expire(before: number): Promise<void>;
  note(checked: number, drifted: number): Promise<void>;
}

export interface CounterReconcilerOptions {
  readonly audit: CounterAudit;
  readonly tallies: UsageTallies;
  readonly catalog: Pick<FeatureCatalog, 'features'>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  /** Between two comparisons. Each takes ClickHouse some 10 ms, so the default of 200 costs it a twentieth of a core. */
  readonly pauseMs?: number;
  /** Between two walks. Default 1,000. */
  readonly idleMs?: number;
  /** Counters that nobody has asked for so long, or whose period ended so long ago, are given up. Default two days. */
  readonly unusedMsMax?: number;
}

const unusedMsMaxDefault = 2 * 24 * 3_600_000;

export class CounterReconciler {
  readonly #options: CounterReconcilerOptions;
  readonly #loop: BackgroundLoop;

  constructor(options: CounterReconcilerOptions) {
    this.#options = options;
    const { idleMs = 1_000, logger } = options;
    const look = async (signal: AbortSignal): Promise<boolean> => {
      await this.#walk(signal);
      return false;
    };
    const retry = { retryMsMin: 1_000, retryMsMax: 60_000 };
    this.#loop = new BackgroundLoop({ look, idleMs, ...retry, logger, message: 'counters stay unchecked' });
  }

  start(): void {
    this.#loop.start();
  }

  /** Ends after the comparison in hand. Safe to call twice, and before `start`. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #walk(signal: AbortSignal): Promise<void> {
    const { audit, clock, catalog, unusedMsMax = unusedMsMaxDefault } = this.#options;
    await audit.expire(clock.now() - unusedMsMax);
    const features = new Map(
      (await catalog.features()).map((feature) => [subjectNameOf(feature).key, feature] as const),
    );
    // A feature that was made after this look is counted again at its next question.
    for (const [key, generation] of await audit.generations()) {
      if (!features.has(key)) await audit.retire(key, generation);
    }
    for (let cursor: string | undefined; cursor !== '0'; ) {
      const page = await audit.page(cursor ?? '0');
      for (const customerId of page.customerIds) {
        if (signal.aborted) return;
        await this.#check(customerId, features, signal);
      }
      cursor = page.cursor;
    }
  }

  async #check(
    customerId: string,
    features: ReadonlyMap<string, Feature>,
    signal: AbortSignal,
  ): Promise<void> {
    const { audit, logger, pauseMs = 200 } = this.#options;
    for (const place of await audit.places(customerId)) {
      if (signal.aborted) return;
      const feature = features.get(place.subjectKey);
      if (feature === undefined) continue;
      if (this.#isPast(place)) {
        await audit.drop(place);
        continue;
      }
      const differs = await this.#differs(place, feature);
      if (differs === undefined) continue;
      // Twice, since a correction may have come between the counter and ClickHouse.
      const drifted = differs && (await this.#differs(place, feature)) === true;
      if (drifted) {
        await audit.drop(place);
        logger.warn({ feature: feature.refId }, 'a counter differed from ClickHouse and was dropped');
      }
      await audit.note(1, drifted ? 1 : 0);
      await pause(pauseMs, signal);
    }
  }

  /** A later question about it makes a new one. */
  #isPast(place: CounterPlace): boolean {
    const { clock, unusedMsMax = unusedMsMaxDefault } = this.#options;
    const period = periodOf(place);
    return period !== null && period.end < clock.now() - unusedMsMax;
  }

  /** Undefined when there is nothing to compare. */
  async #differs(place: CounterPlace, feature: Feature): Promise<boolean | undefined> {
    const { audit, tallies } = this.#options;
    const inspection = await audit.inspect(place);
    const counter = decodeCounter(inspection?.counter ?? '');
    if (inspection === undefined || counter === undefined) return undefined;
    const { customerId, resourceId } = place;
    const scope = { customerId, feature, resourceId };
    const name = aggregationOf(scope);
    const total = totalOf(name, counter);
    // Nobody is answered with a counter that is not filled yet.
    if (total === undefined) return undefined;
    const stored = await tallies.tally(scope, {
      period: periodOf(place),
      throughFlush: inspection.counted,
    });
    return compareQuantities(usageOf(name, total), usageOf(name, stored)) !== 0;
  }
}
