/** SQL text with the values it refers to. What comes from a user is only ever a value, never part of the text. */
export interface SqlStatement {
  readonly sql: string;
  /** By the name that the text uses in `{name:Type}`. */
  readonly params: Readonly<Record<string, unknown>>;
}

/** Collects a statement's values while its text is put together; each method answers what stands for the value. */
export class SqlParameters {
  readonly values: Record<string, SqlValue> = {};
  readonly #names = new Map<string, string>();

  text(value: string): string {
    return this.#placeholder(value, 'String');
  }

  texts(values: readonly string[]): string {
    return this.#placeholder(values, 'Array(String)');
  }

  count(value: number): string {
    return this.#placeholder(value, 'UInt64');
  }

  counts(values: readonly number[]): string {
    return this.#placeholder(values, 'Array(UInt64)');
  }

  /** An exact amount, from its plain decimal text. */
  amount(text: string): string {
    return `toDecimal256(${this.text(text)}, 30)`;
  }

  /** Exact amounts, from their plain decimal texts. */
  amounts(texts: readonly string[]): string {
    return `arrayMap(text -> toDecimal256(text, 30), ${this.texts(texts)})`;
  }

  /** An instant, from epoch milliseconds. */
  instant(milliseconds: number): string {
    return `fromUnixTimestamp64Milli(${this.#placeholder(milliseconds, 'Int64')}, 'UTC')`;
  }

  statement(sql: string): SqlStatement {
    return { sql, params: this.values };
  }

  /** The same value of the same type gets one name, as a meter names the same field many times. */
  #placeholder(value: SqlValue, type: string): string {
    const key = JSON.stringify([type, value]);
    const name = this.#names.get(key) ?? `p${this.#names.size + 1}`;
    this.#names.set(key, name);
    this.values[name] = value;
    return `{${name}:${type}}`;
  }
}

type SqlValue = string | number | readonly string[] | readonly number[];
