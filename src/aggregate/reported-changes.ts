/** What a flush's reported usage does to live counters (see `queue/counter-ledger.ts`). */
import { decodeSubject } from '../catalog/usage-subject.ts';
import { quantityToText } from '../quantity.ts';
import type { CountedSubject, CounterChange, CounterTotal } from '../queue/counter-ledger.ts';
import type { CalculatedFlush } from './calculated-flush.ts';
import { allTime } from './calculated-usage.ts';
import { groupBy } from './group-by.ts';
import { type FeatureUsage, featureKey, spanKey } from './usage-states.ts';

/** What counters of a feature are found by. */
interface ReportedSubject {
  readonly subjectKey: string;
  readonly generation: string;
}

export class ReportedChanges {
  #subjects: ReadonlyMap<string, CountedSubject> | undefined;
  #byFeature: ReadonlyMap<string, ReportedSubject> = new Map();

  /**
   * A SET replaces what was before it in time, so no sum of parts can carry reported usage. But the worker has folded
   * what it acknowledged, and so knows the totals themselves in the periods that it was asked for. Customers without
   * counters cost Redis a look each.
   */
  of(
    { rows, usages }: Pick<CalculatedFlush, 'rows' | 'usages'>,
    subjects: ReadonlyMap<string, CountedSubject>,
  ): CounterChange[] {
    const byFeature = this.#subjectsByFeature(subjects);
    if (byFeature.size === 0) return [];
    const usageOf = new Map(usages.map((usage) => [featureKey(usage), usage]));
    const touched = rows.filter(({ featureId }) => byFeature.has(featureId));
    return [...groupBy(touched, featureKey)].flatMap(([key, members]) => {
      const usage = usageOf.get(key);
      const resources = new Set(['', ...members.map(({ resourceId }) => resourceId)]);
      return members.slice(0, 1).flatMap(({ customerId, featureId }) => {
        const subject = byFeature.get(featureId);
        if (subject === undefined) return [];
        return [...resources].map((resourceId) => ({
          customerId,
          ...subject,
          resourceId,
          effect: { totals: totalsOf(usage, resourceId) },
        }));
      });
    });
  }

  #subjectsByFeature(subjects: ReadonlyMap<string, CountedSubject>): ReadonlyMap<string, ReportedSubject> {
    if (this.#subjects === subjects) return this.#byFeature;
    const byFeature = new Map<string, ReportedSubject>();
    for (const [subjectKey, { generation, text }] of subjects) {
      const subject = decodeSubject(text);
      if ('featureId' in subject) byFeature.set(subject.featureId, { subjectKey, generation });
    }
    this.#subjects = subjects;
    this.#byFeature = byFeature;
    return byFeature;
  }
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
