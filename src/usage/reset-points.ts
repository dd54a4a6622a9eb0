/** The moments at which usage began again from zero, and where they fall in a history. Pure. */

export type ResetType = 'PERIODIC_RESET' | 'SUBSCRIPTION_CHANGE_RESET';

export interface UsageReset {
  /** Epoch ms. */
  readonly timestamp: number;
  readonly type: ResetType;
}

/** A time with one and the same entitlement, half-open, epoch ms. */
export interface EntitledTime {
  readonly start: number;
  readonly end: number;
  /** The usage period that holds an instant of it; null where usage never starts from zero again. */
  readonly periodAt: (instant: number) => { readonly start: number; readonly end: number } | null;
}

/** The newest ones of a history that would have more; a year of hours is 8,760. */
export const resetsMax = 10_000;

/**
 * Those in the span, oldest first. Usage that goes on from one entitlement to the next where it stood is not reset;
 * neither is that of somebody who never had an entitlement before.
 *
 * @param times in order, none overlapping another. All that came before the span are looked at, for what they end with.
 */
export function usageResets(
  times: readonly EntitledTime[],
  span: { readonly start: number; readonly end: number },
): readonly UsageReset[] {
  const resets: UsageReset[] = [];
  /** Where the period that was counted in last would have ended; null for one without an end. */
  let due: number | null | undefined;
  for (const { start, end, periodAt } of times) {
    if (start >= span.end) break;
    const first = periodAt(start);
    if (first?.start === start && due !== undefined && start >= span.start) {
      resets.push({ timestamp: start, type: due === start ? 'PERIODIC_RESET' : 'SUBSCRIPTION_CHANGE_RESET' });
    }
    resets.push(...periodicResets({ start, end, periodAt }, span));
    due = periodAt(end - 1)?.end ?? null;
  }
  return resets.slice(-resetsMax);
}

/** For the start of each interval, whether one of the resets lies in it. Both are in order. */
export function resetIntervals(starts: readonly number[], resets: readonly UsageReset[]): readonly boolean[] {
  let next = 0;
  return starts.map((_, index) => {
    const end = starts[index + 1] ?? Number.POSITIVE_INFINITY;
    const from = next;
    while (next < resets.length && (resets[next]?.timestamp ?? end) < end) next += 1;
    return next > from;
  });
}

/** Strictly within the time: what happens where it begins depends on what was before. The newest `resetsMax`. */
function periodicResets(
  time: EntitledTime,
  span: { readonly start: number; readonly end: number },
): readonly UsageReset[] {
  const resets: UsageReset[] = [];
  const earliest = Math.max(time.start + 1, span.start);
  for (let at = Math.min(time.end, span.end) - 1; at >= earliest && resets.length < resetsMax; ) {
    const start = time.periodAt(at)?.start;
    if (start === undefined || start < earliest) break;
    resets.push({ timestamp: start, type: 'PERIODIC_RESET' });
    at = start - 1;
  }
  return resets.reverse();
}
