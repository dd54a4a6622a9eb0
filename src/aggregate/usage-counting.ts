/**
 * The step of a flush that brings live counters up to it (see `queue/counter-ledger.ts`). Meters are applied to the
 * very events that the flush has stored, by the rules that hold in ClickHouse too, and only to those of customers
 * that have counters. Everything follows from the plan, so a flush that is done again counts the same.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Meter } from '../catalog/meter.ts';
import { evaluateMeter } from '../catalog/meter-evaluation.ts';
import { decodeSubject } from '../catalog/usage-subject.ts';
import type { EventBlock } from '../metering/event-block.ts';
import { quantityToText } from '../quantity.ts';
import type { CountedSubject, CounterChange, CounterLedger, CounterTotal } from '../queue/counter-ledger.ts';
import type { CalculatedFlush } from './calculated-flush.ts';
import { allTime } from './calculated-usage.ts';
import type { Checkpoint } from './checkpoint.ts';
import { decisions } from './decide.ts';
import { groupBy } from './group-by.ts';
import { MetersByName } from './meters-by-name.ts';
import type { FlushPlan } from './plan.ts';
import { type PartSubject, UsageParts } from './usage-parts.ts';
import { type FeatureUsage, featureKey, spanKey } from './usage-states.ts';

/** Beyond so many counters that a flush may touch, it drops all counters of the customers that it is about. */
const partsMaxDefault = 20_000;

/** What there is to know of a flush's calculated usage. */
type ReportedFlush = Pick<CalculatedFlush, 'rows' | 'usages'>;

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
  #prepared: { readonly plan: FlushPlan; readonly blocks: readonly CustomersOfBlock[] } | undefined;

  constructor(counters: CounterLedger, checkpoint: Checkpoint, partsMax = partsMaxDefault) {
    this.#counters = counters;
    this.#checkpoint = checkpoint;
    this.#partsMax = partsMax;
  }

  /** May be called while the flush is being stored: what can be known before. Nothing while nobody has counters. */
  async prepare(plan: FlushPlan): Promise<void> {
    if (this.#counted === undefined || this.#counted.meters.isEmpty) return;
    this.#prepared = { plan, blocks: await customersOfBlocks(plan) };
  }

  /** One round trip while nobody has counters. The flush must be stored. */
  async count(plan: FlushPlan, calculated: ReportedFlush): Promise<void> {
    const { flushId } = plan.manifest;
    const counted = this.#decoded(await this.#counters.advance(flushId));
    await this.#checkpoint('duringCount');
    if (counted.meters.isEmpty && counted.featuresById.size === 0) return;
    const blocks = counted.meters.isEmpty ? [] : await this.#blocksOf(plan);
    const counting = await this.#counters.counting(customersIn(blocks, calculated));
    if (counting.size === 0) return;
    const changes = await this.#changes(blocks, calculated, counted, counting);
    if (changes === undefined) await this.#counters.forget(counting);
    else await this.#counters.count(flushId, changes);
  }

  /** Undefined beyond the bound. */
  async #changes(
    blocks: readonly CustomersOfBlock[],
    calculated: ReportedFlush,
    counted: Counted,
    counting: ReadonlySet<string>,
  ): Promise<readonly CounterChange[] | undefined> {
    const parts = new UsageParts();
    for (const { block, rowsOf } of blocks) {
      for (const [customerId, rows] of rowsOf) {
        if (counting.has(customerId)) this.#addRows(parts, block, customerId, rows, counted.meters);
        if (parts.size > this.#partsMax) return undefined;
      }
      await nextTurn();
    }
    const changes = [...parts.changes(), ...reportedChanges(calculated, counted.featuresById, counting)];
    return changes.length > this.#partsMax ? undefined : changes;
  }

  #addRows(
    parts: UsageParts,
    block: EventBlock,
    customerId: string,
    rows: readonly number[],
    meters: MetersByName<MeteredSubject>,
  ): void {
    for (const row of rows) {
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

  async #blocksOf(plan: FlushPlan): Promise<readonly CustomersOfBlock[]> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared?.plan === plan ? prepared.blocks : customersOfBlocks(plan);
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

/**
 * A SET replaces what was before it in time, so no sum of parts can carry reported usage. But the worker has folded
 * what it acknowledged, and so knows the totals themselves in the periods that it was asked for.
 */
function reportedChanges(
  { rows, usages }: ReportedFlush,
  subjects: ReadonlyMap<string, PartSubject>,
  counting: ReadonlySet<string>,
): CounterChange[] {
  const usageOf = new Map(usages.map((usage) => [featureKey(usage), usage]));
  const touched = rows.filter(
    ({ customerId, featureId }) => counting.has(customerId) && subjects.has(featureId),
  );
  return [...groupBy(touched, featureKey)].flatMap(([key, members]) => {
    const usage = usageOf.get(key);
    const resources = new Set(['', ...members.map(({ resourceId }) => resourceId)]);
    return members.slice(0, 1).flatMap(({ customerId, featureId }) => {
      const subject = subjects.get(featureId);
      if (subject === undefined) return [];
      const { key: subjectKey, generation } = subject;
      return [...resources].map((resourceId) => ({
        customerId,
        subjectKey,
        generation,
        resourceId,
        effect: { totals: totalsOf(usage, resourceId) },
      }));
    });
  });
}

/** Without a resource: of all of them together with usage that names none. */
function totalsOf(usage: FeatureUsage | undefined, resourceId: string): CounterTotal[] {
  const states = [...(usage?.folds.get(resourceId) ?? [])].map(([span, { total }]) => [span, total] as const);
  const totals = resourceId === '' ? [...(usage?.totals ?? [])] : states;
  return totals.map(([span, total]) => ({
    period: span === spanKey(allTime) ? null : periodOf(span),
    amount: quantityToText(total),
  }));
}

/** Of a `spanKey`. */
function periodOf(span: string): { readonly start: number; readonly end: number } {
  const [start, end] = span.split(' ').map(Number);
  if (start === undefined || end === undefined) throw new RangeError('a span has two bounds');
  return { start, end };
}

/** The rows of each customer that count. */
interface CustomersOfBlock {
  readonly block: EventBlock;
  readonly rowsOf: ReadonlyMap<string, readonly number[]>;
}

async function customersOfBlocks(plan: FlushPlan): Promise<readonly CustomersOfBlock[]> {
  const blocks: CustomersOfBlock[] = [];
  for (const { batch, decided } of plan.batches) {
    if (batch.kind !== 'events') continue;
    blocks.push({ block: batch.block, rowsOf: customersOfBlock(batch.block, decided) });
    await nextTurn();
  }
  return blocks;
}

function customersOfBlock(block: EventBlock, decided: Uint8Array): ReadonlyMap<string, readonly number[]> {
  const rowsOf = new Map<string, number[]>();
  for (let row = 0; row < block.count; row += 1) {
    if (decided[row] !== decisions.counts) continue;
    const customerId = block.text('customer_id', row);
    const rows = rowsOf.get(customerId);
    if (rows === undefined) rowsOf.set(customerId, [row]);
    else rows.push(row);
  }
  return rowsOf;
}

function customersIn(blocks: readonly CustomersOfBlock[], { rows }: ReportedFlush): readonly string[] {
  const customers = new Set(rows.map(({ customerId }) => customerId));
  for (const { rowsOf } of blocks) for (const customerId of rowsOf.keys()) customers.add(customerId);
  return [...customers];
}
