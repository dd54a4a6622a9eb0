/** What may be said of a coupon, and how a coupon changes by it (facts, section 1.10). */
import { parseCurrency } from '../money.ts';
import { compareQuantities, parseQuantity, zeroQuantity } from '../quantity.ts';
import { type CatalogProblem, invalid } from './catalog-problem.ts';
import type { Coupon } from './coupon.ts';
import { type MoneyDraft, moneyProblem } from './decode-prices.ts';
import { descriptionProblem, isGiven, namesProblem, refIdProblem } from './entity-fields.ts';

export const couponLimits = { amountsMax: 200, monthsMax: 1_200 } as const;

/** What a caller may say of a new coupon; null and absent mean the same. */
export interface CouponDraft {
  readonly refId: string;
  readonly name: string;
  readonly description?: string | null;
  readonly type?: Coupon['type'] | null;
  readonly percentOff?: string | null;
  readonly amountsOff?: readonly MoneyDraft[] | null;
  readonly durationInMonths?: number | null;
  readonly additionalMetaData?: Coupon['additionalMetaData'];
}

/** All that can be changed of a coupon. Undefined leaves a field as it is; null clears it. */
export interface CouponFields {
  readonly name?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly additionalMetaData?: Coupon['additionalMetaData'] | undefined;
}

export type ChangedCoupon = { readonly coupon: Coupon } | { readonly problem: CatalogProblem };

/** `id` is a new UUID; `now` epoch ms. */
export function makeCoupon(draft: CouponDraft, id: string, now: number): ChangedCoupon {
  const { percentOff = null, amountsOff = null, durationInMonths = null } = draft;
  const problem = refIdProblem(draft.refId) ?? textsProblem(draft) ?? discountProblem(draft);
  if (problem !== undefined) return { problem: invalid(problem) };
  const coupon: Coupon = {
    id,
    refId: draft.refId,
    name: draft.name,
    description: draft.description ?? null,
    type: percentOff === null ? 'FIXED' : 'PERCENTAGE',
    percentOff,
    amountsOff:
      amountsOff?.map(({ amount, currency }) => ({ amount, currency: currency.toLowerCase() })) ?? null,
    durationInMonths,
    status: 'ACTIVE',
    additionalMetaData: draft.additionalMetaData ?? null,
    createdAt: now,
    updatedAt: now,
  };
  return { coupon };
}

/** The very same coupon when nothing changes. */
export function changeCoupon(existing: Coupon, fields: CouponFields, now: number): ChangedCoupon {
  if (existing.status === 'ARCHIVED') return { problem: invalid('an archived coupon cannot be changed') };
  const {
    name = existing.name,
    description = existing.description,
    additionalMetaData = existing.additionalMetaData,
  } = fields;
  if (name === null) return { problem: invalid('name cannot be cleared') };
  const problem = textsProblem({ name, description });
  if (problem !== undefined) return { problem: invalid(problem) };
  const changed = { ...existing, name, description, additionalMetaData };
  const isSame = JSON.stringify(changed) === JSON.stringify(existing);
  return { coupon: isSame ? existing : { ...changed, updatedAt: now } };
}

/** Whoever has it keeps it; nobody can be given it anew. */
export function archiveCoupon(existing: Coupon, now: number): Coupon {
  return existing.status === 'ARCHIVED' ? existing : { ...existing, status: 'ARCHIVED', updatedAt: now };
}

function textsProblem({ name, description }: Pick<CouponDraft, 'name' | 'description'>): string | undefined {
  return namesProblem({ name }) ?? descriptionProblem(description);
}

function discountProblem({
  type,
  percentOff,
  amountsOff,
  durationInMonths,
}: CouponDraft): string | undefined {
  const { monthsMax } = couponLimits;
  if (isGiven(durationInMonths) && (durationInMonths < 1 || durationInMonths > monthsMax)) {
    return `durationInMonths must be 1 to ${monthsMax}, or absent for a coupon that holds for ever`;
  }
  if (isGiven(percentOff) === isGiven(amountsOff))
    return 'exactly one of percentOff and amountsOff is required';
  if (isGiven(percentOff)) {
    if (type === 'FIXED') return 'a FIXED coupon has amountsOff, not percentOff';
    return isPercentage(percentOff) ? undefined : 'percentOff must be above 0 and at most 100';
  }
  if (type === 'PERCENTAGE') return 'a PERCENTAGE coupon has percentOff, not amountsOff';
  return amountsProblem(amountsOff ?? []);
}

function isPercentage(text: string): boolean {
  const percent = parseQuantity(text);
  const hundred = parseQuantity('100') ?? zeroQuantity;
  return (
    percent !== undefined &&
    compareQuantities(percent, zeroQuantity) > 0 &&
    compareQuantities(percent, hundred) <= 0
  );
}

function amountsProblem(amounts: readonly MoneyDraft[]): string | undefined {
  const { amountsMax } = couponLimits;
  if (amounts.length === 0 || amounts.length > amountsMax)
    return `amountsOff must have 1 to ${amountsMax} entries`;
  for (const [index, money] of amounts.entries()) {
    const problem = moneyProblem(`amountsOff[${index}]`, money);
    if (problem !== undefined) return problem;
    if (/^[0.]+$/.test(money.amount)) return `amountsOff[${index}].amount must be above 0`;
  }
  const currencies = new Set(amounts.map(({ currency }) => parseCurrency(currency)));
  return currencies.size < amounts.length ? 'amountsOff has a currency twice' : undefined;
}
