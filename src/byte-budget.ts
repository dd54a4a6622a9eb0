/** Bounds the bytes that a process holds at once. Whoever takes some gives the same number back. */
export class ByteBudget {
  readonly #bytesMax: number;
  readonly #waiting: { readonly bytes: number; readonly resolve: () => void }[] = [];
  #taken = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get taken(): number {
    return this.#taken;
  }

  /** For those who refuse at the bound: false, and nothing taken, when it would go over or others wait already. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#taken + bytes > this.#bytesMax) return false;
    this.#taken += bytes;
    return true;
  }

  /**
   * For those who wait at the bound, in the order they came. One that is larger than the whole budget goes alone,
   * since it could never go otherwise.
   */
  take(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ bytes, resolve });
      this.#admit();
    });
  }

  give(bytes: number): void {
    this.#taken -= bytes;
    this.#admit();
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#taken > 0 && this.#taken + next.bytes > this.#bytesMax) return;
      this.#waiting.shift();
      this.#taken += next.bytes;
      next.resolve();
    }
  }
}
