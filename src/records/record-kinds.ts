/** What is kept as records, and the rules of each kind. */
interface KindRule {
  /** How many there may be. Only kinds with a bound can be read whole. */
  readonly recordsMax?: number;
  /**
   * Fields of the body that name a person. They are kept apart from the rest and never enter the change log, so
   * that they can be erased.
   */
  readonly personalFields?: readonly string[];
  /** A field of the body: where it is not null, the personal fields were erased. */
  readonly erasedBy?: string;
}

export const recordKinds = {
  product: { recordsMax: 1_000 },
  feature: { recordsMax: 10_000 },
  package: { recordsMax: 10_000 },
  coupon: { recordsMax: 10_000 },
  customer: { personalFields: ['name', 'email'], erasedBy: 'archivedAt' },
  subscription: {},
  'subscription-book': {},
  invoice: {},
  'package-rollout': {},
  'promotional-entitlement': {},
  'usage-threshold': {},
  // Only those that wait to be applied, which takes some 50 ms.
  correction: { recordsMax: 10_000 },
  'correction-turn': {},
} as const satisfies Readonly<Record<string, KindRule>>;

export type RecordKind = keyof typeof recordKinds;

export type BoundedKind = {
  [Kind in RecordKind]: (typeof recordKinds)[Kind] extends { readonly recordsMax: number } ? Kind : never;
}[RecordKind];

/** The one kind with personal fields; their own table in ClickHouse has its name. */
export const personalKind = 'customer' satisfies RecordKind;

export function kindRule(kind: RecordKind): KindRule {
  return recordKinds[kind];
}
