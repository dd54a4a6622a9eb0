import type { Logger } from './telemetry.ts';

export interface FailureLogOptions {
  readonly logger: Pick<Logger, 'warn'>;
  /** What goes wrong. */
  readonly message: string;
  /** What every line says beside the failure. */
  readonly fields?: Readonly<Record<string, string>>;
  /** The least time between two lines. Default a minute. */
  readonly everyMs?: number;
}

/**
 * Something that fails again and again says so at once and then seldom: one line a minute at most, which tells how
 * many failures there were since the last.
 */
export class FailureLog {
  readonly #options: FailureLogOptions;
  #failures = 0;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(options: FailureLogOptions) {
    this.#options = options;
  }

  note(error: unknown): void {
    const { logger, message, fields, everyMs = 60_000 } = this.#options;
    this.#failures += 1;
    const now = performance.now();
    if (now - this.#saidAt < everyMs) return;
    logger.warn({ ...fields, error: failureName(error), failures: this.#failures }, message);
    this.#failures = 0;
    this.#saidAt = now;
  }
}

/** Not its text, which may quote what was reported or stored (I10). */
export function failureName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error ? `${error.name} ${String(error.code)}` : error.name;
}
