/**
 * Runs a task soon after it is asked for, and never twice within a pause: however often it is asked for meanwhile, it
 * runs once more after the pause. A run that fails is repeated after the pause.
 */
export class PacedTask {
  readonly #task: () => Promise<void>;
  readonly #pauseMs: number;
  #isWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(task: () => Promise<void>, pauseMs: number) {
    this.#task = task;
    this.#pauseMs = pauseMs;
  }

  request(): void {
    this.#isWanted = true;
    if (this.#timer === undefined) this.#schedule(0);
  }

  /** What was asked for and has not begun runs now; nothing is scheduled any more. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    if (this.#isWanted) await this.#run();
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, delayMs);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    if (!this.#isWanted) {
      this.#timer = undefined;
      return;
    }
    this.#isWanted = false;
    this.#schedule(this.#pauseMs);
    await this.#task().catch(() => {
      this.#isWanted = true;
    });
  }
}
