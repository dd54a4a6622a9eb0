/**
 * What was reported, corrected and subscribed to, as plain lists, and every figure worked out from them anew each
 * time. It shares no code with the product: amounts are BigInts of 10^-30, periods are found by walking from bound to
 * bound.
 */
import { scaledToText, textToScaled } from '../usage/usage-oracle.fixture.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** An event counts when its name is this one and, where bytes are asked for, it has more than so many. */
export interface MeterRule {
  readonly aggregation: 'COUNT' | 'SUM' | 'MAX' | 'MIN' | 'AVG' | 'UNIQUE';
  readonly field: 'bytes' | 'user' | null;
  readonly eventName: string;
  readonly bytesAbove: string | null;
}

export interface FeatureRule {
  readonly refId: string;
  /** Null: usage is reported. */
  meter: MeterRule | null;
  /** Usage is answered in units of so many, rounded up. */
  readonly divide: bigint | null;
}

export interface GrantRule {
  /** Null: as much as is wanted. */
  readonly limit: number | null;
  readonly isSoft?: true;
  readonly reset?: 'YEAR' | 'MONTH' | 'WEEK' | 'DAY' | 'HOUR';
  readonly according?: 'SubscriptionStart' | 'StartOfTheMonth' | 'EveryMonday';
}

/** By plan, then by feature. */
export type Offer = Readonly<Record<string, Readonly<Record<string, GrantRule>>>>;

export interface Account {
  readonly customerId: string;
  /** What is subscribed; null for the customer as a whole. */
  readonly subscribed: string | null;
  /** A resource that has `siteGrants` as well; null where none has. */
  readonly site: string | null;
  /** Whether another plan starts usage anew. */
  readonly isReset: boolean;
  plan: string;
  /** When usage began to be counted, and when a change of the plan last set it to zero. */
  anchor: number;
  resetAt: number | null;
}

/** More than any plan grants, so that they are what holds for the resource that has them. */
export const siteGrants: Readonly<Record<string, GrantRule>> = { seats: { limit: 30 } };

export interface Content {
  readonly timestamp: number;
  /** Of a measurement. */
  readonly value: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface Report extends Content {
  readonly kind: 'EVENT' | 'MEASUREMENT';
  readonly customerId: string;
  readonly resourceId: string;
  /** The event's name, or the feature's. */
  readonly name: string;
  readonly key: string;
  readonly receivedAt: number;
  readonly updateBehavior: 'DELTA' | 'SET';
  readonly rejectIfExceeded: boolean;
}

export interface Entry {
  readonly report: Report;
  /** What its reporter was told. */
  readonly answer: string;
  /** Null once it is voided. */
  readonly counts: Content | null;
}

export interface Place {
  readonly customerId: string;
  readonly feature: FeatureRule;
  /** Null: all that the customer uses. */
  readonly resourceId: string | null;
}

type Standing =
  | { readonly denied: string }
  | { readonly grant: GrantRule; readonly scope: string | null; readonly period: Span | null };

export class WholeOracle {
  readonly accounts: readonly Account[];
  readonly features: readonly FeatureRule[];
  entries: readonly Entry[] = [];
  readonly #offer: Offer;
  readonly #windowMs: number;

  constructor(
    accounts: readonly Account[],
    features: readonly FeatureRule[],
    offer: Offer,
    windowMs: number,
  ) {
    this.accounts = accounts;
    this.features = features;
    this.#offer = offer;
    this.#windowMs = windowMs;
  }

  /** What the reporter of a measurement is told, as `answerText` words it; events are told nothing. */
  report(report: Report): string {
    const first = this.entries.find((entry) => isSameIdentity(entry.report, report));
    if (first !== undefined) {
      const isRemembered = report.receivedAt - first.report.receivedAt <= this.#windowMs;
      return isRemembered && contentText(first.report) !== contentText(report) ? 'conflict' : first.answer;
    }
    const { timestamp, value, dimensions } = report;
    const entry = { report, answer: '', counts: { timestamp, value, dimensions } };
    const answer = report.kind === 'EVENT' ? '' : this.#answer(report, entry);
    if (!answer.startsWith('exceeded')) this.entries = [...this.entries, { ...entry, answer }];
    return answer;
  }

  correct(corrected: Entry, counts: Content | null): void {
    this.entries = this.entries.map((entry) => (entry === corrected ? { ...entry, counts } : entry));
  }

  subscribe(account: Account, plan: string, now: number): void {
    account.plan = plan;
    if (!account.isReset) return;
    account.anchor = now;
    account.resetAt = now;
  }

  /** As `checkText` words it: what is used, of how much, whether one more may be, and since when it is counted. */
  check(place: Place, now: number): string {
    const standing = this.#standing(place, now);
    if ('denied' in standing) return standing.denied;
    const { grant, scope, period } = standing;
    const used = inUnits(this.usage({ ...place, resourceId: scope }, period), place.feature);
    const isGranted =
      grant.limit === null || grant.isSoft === true || used + textToScaled('1') <= scaled(grant.limit);
    return checkText(scaledToText(used), limitText(grant), isGranted, period);
  }

  /** Of the entitlement that usage of the place is counted by. */
  period(place: Place, now: number): Span | null {
    const standing = this.#counting(place, now);
    return 'denied' in standing ? null : standing.period;
  }

  usageText(place: Place, span: Span | null, entries = this.entries): string {
    return scaledToText(this.usage(place, span, entries));
  }

  usage(place: Place, span: Span | null, entries = this.entries): bigint {
    const counted = contentsOf(entries, place, span);
    const { meter } = place.feature;
    return meter === null ? sumOf(changes(counted), span) : aggregated(meter, counted);
  }

  /** The total, then each interval, as answered. Reported usage is what changed, counted from zero at the start. */
  history(place: Place, starts: readonly number[], end: number): readonly string[] {
    const [start = end] = starts;
    const whole = { start, end };
    const spans = [whole, ...starts.map((from, at) => ({ start: from, end: starts[at + 1] ?? end }))];
    const { meter } = place.feature;
    const made = meter === null ? changes(contentsOf(this.entries, place, whole)) : [];
    return spans.map((span) => {
      const usage = meter === null ? sumOf(made, span) : this.usage(place, span);
      return scaledToText(inUnits(usage, place.feature));
    });
  }

  #answer(report: Report, entry: Entry): string {
    const feature = this.features.find(({ refId }) => refId === report.name);
    if (feature === undefined) throw new Error(`no feature ${report.name}`);
    const { customerId } = report;
    const own = { customerId, feature, resourceId: report.resourceId === '' ? null : report.resourceId };
    const standing = this.#counting(own, report.receivedAt);
    const period = 'denied' in standing ? null : standing.period;
    const grant = 'denied' in standing ? { limit: null } : standing.grant;
    const limited = { ...own, resourceId: 'denied' in standing ? null : standing.scope };
    const before = this.usage(limited, period);
    const after = this.usage(limited, period, [...this.entries, entry]);
    const isHard = grant.limit !== null && grant.isSoft !== true;
    if (report.rejectIfExceeded && isHard && after > before) {
      if (inUnits(after, feature) > scaled(grant.limit))
        return `exceeded at ${scaledToText(inUnits(before, feature))}`;
    }
    const told = 'denied' in standing ? own : limited;
    const shown = inUnits(this.usage(told, period, [...this.entries, entry]), feature);
    return answerText(scaledToText(shown), limitText(grant), period);
  }

  /** A resource that nobody has subscribed uses what the customer as a whole may. */
  #counting(place: Place, now: number): Standing {
    const standing = this.#standing(place, now);
    const isUnknown = 'denied' in standing && standing.denied === 'CustomerResourceNotFound';
    return isUnknown ? this.#standing({ ...place, resourceId: null }, now) : standing;
  }

  #standing({ customerId, feature, resourceId }: Place, now: number): Standing {
    const account = this.accounts.find((each) => each.customerId === customerId);
    if (account === undefined) throw new Error('an account is missing');
    const { subscribed, site, plan } = account;
    if (resourceId !== null && resourceId === site) {
      const grant = siteGrants[feature.refId];
      if (grant !== undefined) return { grant, scope: site, period: null };
    } else {
      if (resourceId !== null && resourceId !== subscribed) return { denied: 'CustomerResourceNotFound' };
      if (resourceId !== subscribed) return { denied: 'NoActiveSubscription' };
    }
    const grant = this.#offer[plan]?.[feature.refId];
    if (grant === undefined) return { denied: 'NoFeatureEntitlementInSubscription' };
    return { grant, scope: subscribed, period: periodOf(grant, account, now) };
  }
}

export function answerText(usage: string, limit: string, period: Span | null): string {
  return `used ${usage} of ${limit} in ${spanText(period)}`;
}

export function checkText(usage: string, limit: string, isGranted: boolean, period: Span | null): string {
  return `${answerText(usage, limit, period)}, ${isGranted ? 'granted' : 'refused'}`;
}

export function spanText(span: Span | null): string {
  return span === null
    ? 'all time'
    : `${new Date(span.start).toISOString()}..${new Date(span.end).toISOString()}`;
}

function limitText({ limit }: GrantRule): string {
  return limit === null ? 'none' : String(limit);
}

function scaled(limit: number | null): bigint {
  return textToScaled(String(limit ?? 0));
}

function inUnits(usage: bigint, { divide }: FeatureRule): bigint {
  if (divide === null) return usage;
  const one = textToScaled('1');
  const unit = divide * one;
  const whole = usage / unit;
  return (whole * unit < usage ? whole + 1n : whole) * one;
}

function isSameIdentity(a: Report, b: Report): boolean {
  return (['kind', 'customerId', 'resourceId', 'name', 'key'] as const).every((part) => a[part] === b[part]);
}

function contentText({ timestamp, value, updateBehavior, dimensions }: Report): string {
  const { bytes, user, note } = dimensions;
  return JSON.stringify([timestamp, value, updateBehavior, bytes, user, note]);
}

interface Counted extends Content {
  readonly report: Report;
}

function contentsOf(entries: readonly Entry[], place: Place, span: Span | null): readonly Counted[] {
  const { customerId, resourceId, feature } = place;
  const { meter, refId } = feature;
  return entries
    .filter(({ report }) => report.customerId === customerId)
    .filter(({ report }) => resourceId === null || report.resourceId === resourceId)
    .filter(({ report }) =>
      meter === null ? report.name === refId && report.kind === 'MEASUREMENT' : report.kind === 'EVENT',
    )
    .flatMap(({ report, counts }) => (counts === null ? [] : [{ report, ...counts }]))
    .filter(({ timestamp }) => span === null || isIn(span, timestamp));
}

function isIn({ start, end }: Span, timestamp: number): boolean {
  return start <= timestamp && timestamp < end;
}

interface Change {
  readonly timestamp: number;
  readonly change: bigint;
}

function sumOf(made: readonly Change[], span: Span | null): bigint {
  const within = made.filter(({ timestamp }) => span === null || isIn(span, timestamp));
  return within.reduce((sum, { change }) => sum + change, 0n);
}

/** Later ones among equal timestamps are those that were reported later. */
function changes(counted: readonly Counted[]): readonly Change[] {
  const folds = new Map<string, bigint>();
  return counted
    .toSorted((a, b) => a.timestamp - b.timestamp)
    .map(({ report, timestamp, value }) => {
      const before = folds.get(report.resourceId) ?? 0n;
      const after = textToScaled(value) + (report.updateBehavior === 'SET' ? 0n : before);
      folds.set(report.resourceId, after);
      return { timestamp, change: after - before };
    });
}

function aggregated(meter: MeterRule, events: readonly Counted[]): bigint {
  const { aggregation, field, eventName, bytesAbove } = meter;
  const texts = events
    .filter(({ report }) => report.name === eventName)
    .map(({ dimensions }) => dimensions)
    .filter(({ bytes }) => {
      return bytesAbove === null || (bytes !== undefined && textToScaled(bytes) > textToScaled(bytesAbove));
    })
    .flatMap((dimensions) => (field === null ? [''] : (dimensions[field] ?? [])));
  if (aggregation === 'COUNT') return BigInt(texts.length) * textToScaled('1');
  if (aggregation === 'UNIQUE') return BigInt(new Set(texts).size) * textToScaled('1');
  const amounts = texts.map(textToScaled).toSorted((a, b) => (a < b ? -1 : Number(a > b)));
  const sum = amounts.reduce((a, b) => a + b, 0n);
  if (aggregation === 'SUM') return sum;
  if (aggregation === 'MIN') return amounts[0] ?? 0n;
  if (aggregation === 'MAX') return amounts.at(-1) ?? 0n;
  return amounts.length === 0 ? 0n : roundedQuotient(sum, BigInt(amounts.length));
}

/** Halves go away from zero. */
function roundedQuotient(sum: bigint, count: bigint): bigint {
  const size = sum < 0n ? -sum : sum;
  const quotient = (2n * size + count) / (2n * count);
  return sum < 0n ? -quotient : quotient;
}

/** Cut off where the change of a plan set usage to zero. */
function periodOf({ reset, according }: GrantRule, { anchor, resetAt }: Account, now: number): Span | null {
  if (reset === undefined) return null;
  const isShort = reset === 'DAY' || reset === 'HOUR';
  const isOfCalendar = according === undefined ? isShort : according !== 'SubscriptionStart';
  // The fifth of January 2026 was a Monday.
  const origin = according === 'EveryMonday' ? Date.UTC(2026, 0, 5) : Date.UTC(2026, 0, 1);
  const from = isOfCalendar ? origin : anchor;
  let bounds = 0;
  while (boundAt(from, reset, bounds + 1) <= now) bounds += 1;
  const start = boundAt(from, reset, bounds);
  const cut = isOfCalendar ? resetAt : null;
  return { start: cut === null ? start : Math.max(start, cut), end: boundAt(from, reset, bounds + 1) };
}

function boundAt(from: number, reset: NonNullable<GrantRule['reset']>, count: number): number {
  const lengths = { WEEK: 7 * dayMs, DAY: dayMs, HOUR: hourMs };
  if (reset !== 'YEAR' && reset !== 'MONTH') return from + count * lengths[reset];
  const first = new Date(from);
  const month = first.getUTCMonth() + count * (reset === 'YEAR' ? 12 : 1);
  const lastDay = new Date(Date.UTC(first.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = Math.min(first.getUTCDate(), lastDay);
  return Date.UTC(first.getUTCFullYear(), month, day) + (from % dayMs);
}
