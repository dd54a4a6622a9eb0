/** Exact sums of money in major units: 49 means 49 dollars, and a hundredth of a cent is kept until it is rounded. */
import { type Quantity, roundQuantity } from './quantity.ts';

/** `currency` is an ISO 4217 code in small letters. */
export interface Money {
  readonly amount: Quantity;
  readonly currency: string;
}

/** ISO 4217, its codes of countries' money in use as of January 2026; what has other minor units than hundredths is below. */
const currencies: ReadonlySet<string> = new Set(
  `aed afn all amd aoa ars aud awg azn bam bbd bdt bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad cdf chf clp
  cny cop crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl htg huf
  idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl lyd mad mdl mga mkd
  mmk mnt mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub
  rwf sar sbd scr sdg sek sgd shp sle sos srd ssp stn svc syp szl thb tjs tmt tnd top try ttd twd tzs uah ugx usd
  uyu uzs ved ves vnd vuv wst xaf xcd xcg xof xpf yer zar zmw zwg`.split(/\s+/),
);

const minorDigits: ReadonlyMap<string, number> = new Map([
  ...['bif', 'clp', 'djf', 'gnf', 'isk', 'jpy', 'kmf', 'krw', 'pyg', 'rwf'].map((code) => [code, 0] as const),
  ...['ugx', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'].map((code) => [code, 0] as const),
  ...['bhd', 'iqd', 'jod', 'kwd', 'lyd', 'omr', 'tnd'].map((code) => [code, 3] as const),
]);

/** The code in small letters, however it is written; undefined when it is no money of today. */
export function parseCurrency(text: string): string | undefined {
  const code = text.toLowerCase();
  return currencies.has(code) ? code : undefined;
}

/** To the currency's minor unit, half-up. Once for each line of an invoice (contract, 5.9), and nowhere else. */
export function roundMoney({ amount, currency }: Money): Money {
  return { amount: roundQuantity(amount, minorDigits.get(currency) ?? 2), currency };
}
