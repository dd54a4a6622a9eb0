/** A live counter as a reader sees it; the text that Redis keeps is described in `queue/counter-scripts.ts`. Pure. */
import { aggregateJoins } from '../catalog/aggregate-joins.ts';
import type { AggregationFunction } from '../catalog/meter.ts';
import { quantityFromClickhouse, quantityToText } from '../quantity.ts';
import type { UsageRow } from './usage-sql.ts';

export interface LiveCounter {
  /** What precedes the figures in the text. */
  readonly head: string;
  readonly generation: string;
  readonly bounds: CounterBounds;
  /** Undefined while the counter is being filled. */
  readonly base: UsageRow | undefined;
  readonly parts: readonly UsageRow[];
}

/** As texts, which is how they are compared. */
export interface CounterBounds {
  readonly start: string;
  readonly end: string;
}

export function boundsOf(period: { readonly start: number; readonly end: number } | null): CounterBounds {
  return period === null
    ? { start: '*', end: '*' }
    : { start: String(period.start), end: String(period.end) };
}

export function periodOf({ start, end }: CounterBounds): { start: number; end: number } | null {
  return start === '*' ? null : { start: Number(start), end: Number(end) };
}

const counterPattern =
  /^(\d+ (\S+) (\*|-?\d+) (\*|-?\d+)) (\?\S+|-?\d+(?:\.\d+)?:\d+)((?: -?\d+(?:\.\d+)?:\d+)*)$/;

/** Undefined for what is no counter. */
export function decodeCounter(text: string): LiveCounter | undefined {
  const match = counterPattern.exec(text);
  if (match === null) return undefined;
  const [, head = '', generation = '', start = '', end = '', base = '', rest = ''] = match;
  return {
    head,
    generation,
    bounds: { start, end },
    base: base.startsWith('?') ? undefined : decodePart(base),
    parts: rest.split(' ').filter(Boolean).map(decodePart),
  };
}

/** All counters of a field, see `queue/counter-scripts.ts`. */
export function decodeCounters(text: string): readonly LiveCounter[] {
  return text.split('\n').flatMap((each) => decodeCounter(each) ?? []);
}

export function encodePart({ amount, counted }: UsageRow): string {
  return `${amount}:${counted}`;
}

/** Base and parts as one; undefined while the counter is being filled. */
export function totalOf(name: AggregationFunction, { base, parts }: LiveCounter): UsageRow | undefined {
  if (base === undefined) return undefined;
  return parts.reduce((total, part) => joined(name, total, part), base);
}

function decodePart(text: string): UsageRow {
  const split = text.indexOf(':');
  return { amount: text.slice(0, split), counted: text.slice(split + 1) };
}

function joined(name: AggregationFunction, a: UsageRow, b: UsageRow): UsageRow {
  if (b.counted === '0') return a;
  if (a.counted === '0') return b;
  const join = aggregateJoins[name];
  if (join === undefined) throw new RangeError(`${name} has no parts`);
  const amount = join(quantityFromClickhouse(a.amount), quantityFromClickhouse(b.amount));
  const counted = String(BigInt(a.counted) + BigInt(b.counted));
  return { amount: quantityToText(amount), counted };
}
