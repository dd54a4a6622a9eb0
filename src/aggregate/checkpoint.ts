/**
 * Named points of a flush. A crash test ends the process, or lets it hang, at one of them; otherwise nothing
 * happens there.
 */
export const checkpoints = [
  'afterDecide',
  'afterBegin',
  'duringInsert',
  'afterEvents',
  'afterMeasurements',
  'duringCount',
  'afterCount',
  'afterTouch',
  'afterReservations',
  'afterReply',
  'afterFinish',
] as const;
export type CheckpointName = (typeof checkpoints)[number];

export type Checkpoint = (name: CheckpointName) => Promise<void> | void;

export const passThrough: Checkpoint = () => {};
