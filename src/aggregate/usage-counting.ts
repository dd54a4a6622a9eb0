/**
 * The step of a flush that brings live counters up to it (see `queue/counter-ledger.ts`). Meters are applied to the
 * very events that the flush has stored, by the rules that hold in ClickHouse too, and only to those of customers
 * that have counters. Everything follows from the plan, so a flush that is done again counts the same.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Meter } from '../catalog/meter.ts';
import { evaluateMeter } from '../catalog/meter-evaluation.ts';
import { decodeSubject } from '../catalog/usage-subject.ts';
import type { CountedSubject, CounterChange, CounterLedger } from '../queue/counter-ledger.ts';
import type { EventBlock } from '../metering/event-block.ts';
import type { CalculatedFlush } from './calculated-flush.ts';
import type { Checkpoint } from './checkpoint.ts';
import { decisions } from './decide.ts';
import { MetersByName } from './meters-by-name.ts';
import type { FlushPlan } from './plan.ts';
import { type PartSubject, UsageParts } from './usage-parts.ts';

/** Beyond so many counters that a flush may touch, it drops all counters of the customers that it is about. */
const partsMaxDefault = 20_000;

interface MeteredSubject extends PartSubject {
  readonly meter: Meter;
}

/** The subjects that counters exist of. */
interface Counted {
  readonly subjects: ReadonlyMap<string, CountedSubject>;
  readonly meters: MetersByName<MeteredSubject>;
  readonly featuresById: ReadonlyMap<string, PartSubject>;
}

export class UsageCounting {
  readonly #counters: CounterLedger;
  readonly #checkpoint: Checkpoint;
  readonly #partsMax: number;
  /** Fields as a block compares them. */
  readonly #fieldBytes = new Map<string, Buffer>();
  #counted: Counted | undefined;

  constructor(counters: CounterLedger, checkpoint: Checkpoint, partsMax = partsMaxDefault) {
    this.#counters = counters;
    this.#checkpoint = checkpoint;
    this.#partsMax = partsMax;
  }

  /** One round trip while nobody has counters. The flush must be stored. */
  async count(plan: FlushPlan, calculated: Pick<CalculatedFlush, 'rows'>): Promise<void> {
    const { flushId } = plan.manifest;
    const counted = this.#decoded(await this.#counters.advance(flushId));
    await this.#checkpoint('duringCount');
    if (counted.meters.isEmpty && counted.featuresById.size === 0) return;
    const counting = await this.#counters.counting(customersOf(plan, calculated, counted));
    if (counting.size === 0) return;
    const changes = await this.#changes(plan, calculated, counted, counting);
    if (changes === undefined) await this.#counters.forget(counting);
    else await this.#counters.count(flushId, changes);
  }

  /** Undefined beyond the bound. */
  async #changes(
    plan: FlushPlan,
    calculated: Pick<CalculatedFlush, 'rows'>,
    counted: Counted,
    counting: ReadonlySet<string>,
  ): Promise<readonly CounterChange[] | undefined> {
    const parts = new UsageParts();
    for (const { customerId, featureId, resourceId } of calculated.rows) {
      const subject = counting.has(customerId) ? counted.featuresById.get(featureId) : undefined;
      // A SET replaces what was before it in time, so no sum of parts can carry reported usage.
      if (subject !== undefined) parts.drop(subject, customerId, resourceId);
    }
    for (const { batch, decided } of plan.batches) {
      if (batch.kind !== 'events' || counted.meters.isEmpty) continue;
      this.#addBlock(parts, batch.block, decided, counted.meters, counting);
      if (parts.size > this.#partsMax) return undefined;
      await nextTurn();
    }
    return parts.changes();
  }

  #addBlock(
    parts: UsageParts,
    block: EventBlock,
    decided: Uint8Array,
    meters: MetersByName<MeteredSubject>,
    counting: ReadonlySet<string>,
  ): void {
    for (let row = 0; row < block.count; row += 1) {
      if (decided[row] !== decisions.counts) continue;
      const customerId = block.text('customer_id', row);
      if (!counting.has(customerId)) continue;
      const eventName = block.text('event_name', row);
      const dimension = (key: string) => block.dimension(row, this.#bytesOf(key));
      for (const subject of meters.of(eventName)) {
        const verdict = evaluateMeter(subject.meter, eventName, dimension);
        if (verdict.outcome !== 'counted') continue;
        const resourceId = block.text('resource_id', row);
        parts.add(subject, customerId, resourceId, block.timestamp(row), verdict.amount);
      }
    }
  }

  #decoded(subjects: ReadonlyMap<string, CountedSubject>): Counted {
    if (this.#counted?.subjects === subjects) return this.#counted;
    const metered: MeteredSubject[] = [];
    const featuresById = new Map<string, PartSubject>();
    for (const [key, { generation, text }] of subjects) {
      const subject = decodeSubject(text);
      if ('featureId' in subject) {
        featuresById.set(subject.featureId, { key, generation, aggregation: 'SUM' });
      } else {
        const { meter } = subject;
        metered.push({ key, generation, aggregation: meter.aggregation.function, meter });
      }
    }
    this.#fieldBytes.clear();
    this.#counted = { subjects, meters: new MetersByName(metered), featuresById };
    return this.#counted;
  }

  #bytesOf(key: string): Buffer {
    let bytes = this.#fieldBytes.get(key);
    if (bytes === undefined) {
      bytes = Buffer.from(key);
      this.#fieldBytes.set(key, bytes);
    }
    return bytes;
  }
}

/** Whom the flush is about, as far as any subject can be. */
function customersOf(
  plan: FlushPlan,
  calculated: Pick<CalculatedFlush, 'rows'>,
  { meters, featuresById }: Counted,
): readonly string[] {
  const customers = new Set<string>();
  if (featuresById.size > 0) for (const { customerId } of calculated.rows) customers.add(customerId);
  for (const { batch, decided } of plan.batches) {
    if (batch.kind !== 'events' || meters.isEmpty) continue;
    for (let row = 0; row < batch.block.count; row += 1) {
      if (decided[row] === decisions.counts) customers.add(batch.block.text('customer_id', row));
    }
  }
  return [...customers];
}
