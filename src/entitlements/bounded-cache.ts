/** Keeps what was used last. A value weighs what it says; past the bound those that were not used for longest go. */
export class BoundedCache<Value extends { readonly weight: number }> {
  readonly #weightMax: number;
  readonly #values = new Map<string, Value>();
  #weight = 0;

  constructor(weightMax: number) {
    this.#weightMax = weightMax;
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  /** A value that alone is heavier than the bound is not kept. */
  set(key: string, value: Value): void {
    this.#remove(key);
    this.#values.set(key, value);
    this.#weight += value.weight;
    for (const oldest of this.#values.keys()) {
      if (this.#weight <= this.#weightMax) return;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    this.#weight -= this.#values.get(key)?.weight ?? 0;
    this.#values.delete(key);
  }
}
