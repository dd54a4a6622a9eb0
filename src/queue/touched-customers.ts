/** The customers whose usage changed and at whom nobody has looked since. */

/**
 * A customer who is touched again while somebody looks stays in line. Whoever looks, and however often a touch is
 * repeated, nobody is forgotten.
 */
export interface TouchedCustomers {
  touch(customerIds: readonly string[]): Promise<void>;
  /** Those touched longest ago, of whom was not touched since the mark. They stay in line. */
  take(limit: number, until: number): Promise<readonly TouchedCustomer[]>;
  /** The newest mark that was given. */
  newest(): Promise<number>;
  /** Out of the line, unless they were touched again. */
  settle(looked: readonly TouchedCustomer[]): Promise<void>;
}

export interface TouchedCustomer {
  /** `everybody` when there was no room to say who. */
  readonly customerId: string;
  /** Rises with every touch. */
  readonly mark: number;
}

/** No customer has this name. */
export const everybody = '';
