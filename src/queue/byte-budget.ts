/**
 * Bounds the bytes held at once. Takers wait in the order they came; one that is larger than the whole budget
 * goes alone, since it could never go otherwise.
 */
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
