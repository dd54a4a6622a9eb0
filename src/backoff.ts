/**
 * How long to wait after so many failures in a row: twice as long each time, up to the bound. Up to half of it is left
 * out at random, so that those who failed together do not all come back at once.
 */
export function backoffMs(failures: number, msMin: number, msMax: number, random = Math.random): number {
  return Math.min(msMin * 2 ** (failures - 1), msMax) * (1 - random() / 2);
}
