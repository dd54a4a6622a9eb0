/** Whom usage is counted for. Billing information is never part of it: see contract, section 5.12. */
export interface Customer {
  readonly id: string;
  /** The caller's name; never changes. Events and usage carry it. */
  readonly refId: string;
  readonly name: string | null;
  readonly email: string | null;
  readonly additionalMetaData: Readonly<Record<string, unknown>> | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface CustomerPage {
  readonly customers: readonly Customer[];
  readonly totalCount: number;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

/** Where customers are kept. */
export interface CustomerDirectory {
  customer(refId: string): Promise<Customer | undefined>;
  /** Which of these refIds are provisioned; one round trip however many. */
  existing(refIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Creates, or hands the one that is there to `change` and stores its result; atomic per customer. */
  upsert(refId: string, change: (existing: Customer | undefined) => Customer): Promise<Customer>;
}
