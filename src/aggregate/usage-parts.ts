/** What one flush adds to live counters, gathered by customer, subject and resource. */
import { aggregateJoins } from '../catalog/aggregate-joins.ts';
import type { AggregationFunction } from '../catalog/meter.ts';
import type { CounterChange } from '../queue/counter-ledger.ts';
import { type Quantity, quantityToText, zeroQuantity } from '../quantity.ts';

/** One subject, as `MetersByName` and the parts need it. */
export interface PartSubject {
  readonly key: string;
  readonly generation: string;
  readonly aggregation: AggregationFunction;
}

interface Part {
  readonly subject: PartSubject;
  readonly customerId: string;
  readonly resourceId: string;
  amount: Quantity;
  counted: number;
  from: number;
  to: number;
}

export class UsageParts {
  readonly #parts = new Map<string, Part>();

  get size(): number {
    return this.#parts.size;
  }

  /** `amount` is null for COUNT and UNIQUE. Counts for the resource, if any, and for the customer as a whole. */
  add(
    subject: PartSubject,
    customerId: string,
    resourceId: string,
    timestamp: number,
    amount: Quantity | null,
  ): void {
    this.#addTo(this.#part(subject, customerId, ''), timestamp, amount);
    if (resourceId !== '') this.#addTo(this.#part(subject, customerId, resourceId), timestamp, amount);
  }

  changes(): CounterChange[] {
    return [...this.#parts.values()].map((part) => {
      const { subject, customerId, resourceId, amount, counted, from, to } = part;
      const { key: subjectKey, generation, aggregation } = subject;
      const carried = aggregateJoins[aggregation] !== undefined;
      const text = aggregation === 'COUNT' ? String(counted) : quantityToText(amount);
      return {
        customerId,
        subjectKey,
        generation,
        resourceId,
        effect: { part: carried ? { amount: text, counted: String(counted) } : undefined, from, to },
      };
    });
  }

  #part(subject: PartSubject, customerId: string, resourceId: string): Part {
    const name = `${subject.key}${customerId.length}:${customerId}${resourceId}`;
    let part = this.#parts.get(name);
    if (part === undefined) {
      part = { subject, customerId, resourceId, ...nothing };
      this.#parts.set(name, part);
    }
    return part;
  }

  #addTo(part: Part, timestamp: number, amount: Quantity | null): void {
    const join = aggregateJoins[part.subject.aggregation];
    if (amount !== null && join !== undefined) {
      part.amount = part.counted === 0 ? amount : join(part.amount, amount);
    }
    part.counted += 1;
    part.from = Math.min(part.from, timestamp);
    part.to = Math.max(part.to, timestamp);
  }
}

const nothing = {
  amount: zeroQuantity,
  counted: 0,
  from: Number.POSITIVE_INFINITY,
  to: Number.NEGATIVE_INFINITY,
};
