/**
 * Named points of a flush. A crash test ends the process, or lets it hang, at one of them; otherwise nothing
 * happens there.
 */
export const eventCheckpoints = [
  'afterDecide',
  'afterBegin',
  'duringInsert',
  'afterEvents',
  'duringCount',
  'afterCount',
  'afterTouch',
  'afterFinish',
] as const;

export const usageCheckpoints = [
  'afterDecide',
  'afterAcknowledge',
  'afterBundle',
  'duringStore',
  'afterStore',
  'afterReported',
  'afterBook',
] as const;

export const checkpoints = [...new Set([...eventCheckpoints, ...usageCheckpoints])];
export type CheckpointName = (typeof checkpoints)[number];

export type Checkpoint = (name: CheckpointName) => Promise<void> | void;

export const passThrough: Checkpoint = () => {};
