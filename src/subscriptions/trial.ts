/** When a trial is told to end soon, and what moving its end does to that (facts, section 6.3). */
import type { Trial } from './subscription.ts';

/** Days before the end that it is told; a trial that is shorter is told of at its start. */
const noticeMs = 7 * 86_400_000;

export function endsSoonAt({ endsAt }: Trial, startDate: number): number {
  return Math.max(startDate, endsAt - noticeMs);
}

/** An end that was told of is told of again when it is put off until it is not soon any more. */
export function withTrialEnd(trial: Trial, endsAt: number, now: number): Trial {
  const isPutOff = endsAt > trial.endsAt && endsAt - noticeMs > now;
  return { ...trial, endsAt, endsSoonToldAt: isPutOff ? null : trial.endsSoonToldAt };
}
