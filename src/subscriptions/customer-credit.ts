/** What was credited beyond what was charged, and is set off against later invoices (facts, section 4.5). */
import {
  addQuantities,
  compareQuantities,
  parseQuantity,
  type Quantity,
  quantityToText,
  subtractQuantities,
  zeroQuantity,
} from '../quantity.ts';
import type { InvoiceContent } from './collected-invoice.ts';

/** Of one customer who pays, by refId, in one currency. */
export interface Credit {
  readonly payerId: string;
  readonly currency: string;
  /** An exact decimal, above zero. */
  readonly amount: string;
}

export interface SetOff {
  readonly credits: readonly Credit[];
  readonly creditApplied: string;
  readonly amountDue: string;
}

/** An invoice below zero adds to the credit, another one uses it up. */
export function setOff(credits: readonly Credit[], { payerId, currency, total }: InvoiceContent): SetOff {
  const sum = quantityOf(total);
  if (compareQuantities(sum, zeroQuantity) <= 0) {
    const amount = quantityToText(subtractQuantities(zeroQuantity, sum));
    return { credits: creditedWith(credits, { payerId, currency, amount }), ...nothingDue };
  }
  const known = quantityOf(credits.find(isOf({ payerId, currency }))?.amount ?? '0');
  const applied = compareQuantities(known, sum) < 0 ? known : sum;
  return {
    credits: withAmount(credits, { payerId, currency }, subtractQuantities(known, applied)),
    creditApplied: quantityToText(applied),
    amountDue: quantityToText(subtractQuantities(sum, applied)),
  };
}

export function creditedWith(
  credits: readonly Credit[],
  { payerId, currency, amount }: Credit,
): readonly Credit[] {
  const known = quantityOf(credits.find(isOf({ payerId, currency }))?.amount ?? '0');
  return withAmount(credits, { payerId, currency }, addQuantities(known, quantityOf(amount)));
}

const nothingDue = { creditApplied: '0', amountDue: '0' };

function withAmount(
  credits: readonly Credit[],
  { payerId, currency }: Omit<Credit, 'amount'>,
  amount: Quantity,
): readonly Credit[] {
  const others = credits.filter((credit) => !isOf({ payerId, currency })(credit));
  const isSome = compareQuantities(amount, zeroQuantity) > 0;
  return isSome ? [...others, { payerId, currency, amount: quantityToText(amount) }] : others;
}

function isOf({ payerId, currency }: Omit<Credit, 'amount'>) {
  return (credit: Credit): boolean => credit.payerId === payerId && credit.currency === currency;
}

/** Of an amount that was written here. */
function quantityOf(text: string): Quantity {
  return parseQuantity(text) ?? zeroQuantity;
}
