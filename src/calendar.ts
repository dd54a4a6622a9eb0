/** Days and months as the calendar has them, in UTC. */

export const dayMs = 86_400_000;

/**
 * The same day and time of day so many months later (or earlier, below 0), epoch ms; in a month that is too short
 * its last day.
 */
export function monthsLater(instant: number, months: number): number {
  const at = new Date(instant);
  const year = at.getUTCFullYear();
  const month = at.getUTCMonth() + months;
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const midnight = Date.UTC(year, at.getUTCMonth(), at.getUTCDate());
  return Date.UTC(year, month, Math.min(at.getUTCDate(), lastDay)) + (instant - midnight);
}
