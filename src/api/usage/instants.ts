import { ApiProblem } from '../api-problem.ts';

/** What ClickHouse's DateTime64 holds: from 1900 to the end of 2299, epoch ms. */
const instantMin = Date.UTC(1900, 0, 1);
const instantMax = Date.UTC(2300, 0, 1) - 1;

export function checkInstant(instant: number, field: string): number {
  if (instant >= instantMin && instant <= instantMax) return instant;
  throw new ApiProblem('VALIDATION_ERROR', `${field} must lie in the years 1900 to 2299`);
}
