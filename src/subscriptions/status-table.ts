/**
 * What may happen to a subscription in each status, and which status follows. A status or an operation without
 * its cell does not compile.
 */
import type { SubscriptionStatus } from './subscription.ts';

export type TimedOperation =
  | 'start'
  | 'startTrial'
  | 'tellTrialEnd'
  | 'convertTrial'
  | 'expireTrial'
  | 'executeUpdate'
  | 'rollOut';
export type RequestedOperation =
  | 'update'
  | 'moveTrialEnd'
  | 'migrate'
  | 'transfer'
  | 'scheduleCancellation'
  | 'takeBackUpdates';
/** What becomes of one that has to be paid before it starts. */
type PaymentOperation = 'awaitPayment' | 'confirmPayment';
/** Asked for, due, or because of a payment. */
export type Operation = TimedOperation | RequestedOperation | PaymentOperation | 'cancel';

/** The status that follows, or why it cannot be. */
type Cell = { readonly next: SubscriptionStatus } | { readonly refusal: string };

export const statusTable: Readonly<Record<SubscriptionStatus, Readonly<Record<Operation, Cell>>>> = {
  NOT_STARTED: {
    start: { next: 'ACTIVE' },
    startTrial: { next: 'IN_TRIAL' },
    tellTrialEnd: { refusal: 'its trial has not started' },
    convertTrial: { refusal: 'its trial has not started' },
    expireTrial: { refusal: 'its trial has not started' },
    executeUpdate: { refusal: 'what it starts with is changed at once' },
    rollOut: { refusal: 'it starts on the newest version' },
    update: { next: 'NOT_STARTED' },
    moveTrialEnd: { next: 'NOT_STARTED' },
    migrate: { next: 'NOT_STARTED' },
    transfer: { next: 'NOT_STARTED' },
    scheduleCancellation: { next: 'NOT_STARTED' },
    takeBackUpdates: { next: 'NOT_STARTED' },
    awaitPayment: { next: 'PAYMENT_PENDING' },
    confirmPayment: { refusal: 'no payment of it is pending' },
    cancel: { next: 'CANCELED' },
  },
  IN_TRIAL: {
    start: { refusal: 'it has started' },
    startTrial: { refusal: 'it has started' },
    tellTrialEnd: { next: 'IN_TRIAL' },
    convertTrial: { next: 'ACTIVE' },
    expireTrial: { next: 'EXPIRED' },
    executeUpdate: { refusal: 'a trial is changed at once' },
    rollOut: { next: 'IN_TRIAL' },
    update: { next: 'IN_TRIAL' },
    moveTrialEnd: { next: 'IN_TRIAL' },
    migrate: { next: 'IN_TRIAL' },
    transfer: { next: 'IN_TRIAL' },
    scheduleCancellation: { next: 'IN_TRIAL' },
    takeBackUpdates: { next: 'IN_TRIAL' },
    awaitPayment: { refusal: 'a trial costs nothing' },
    confirmPayment: { refusal: 'a trial costs nothing' },
    cancel: { next: 'CANCELED' },
  },
  ACTIVE: {
    start: { refusal: 'it has started' },
    startTrial: { refusal: 'it has started' },
    tellTrialEnd: { refusal: 'it is not in trial' },
    convertTrial: { refusal: 'it is not in trial' },
    expireTrial: { refusal: 'it is not in trial' },
    executeUpdate: { next: 'ACTIVE' },
    rollOut: { next: 'ACTIVE' },
    update: { next: 'ACTIVE' },
    moveTrialEnd: { refusal: 'it is not in trial' },
    migrate: { next: 'ACTIVE' },
    transfer: { next: 'ACTIVE' },
    scheduleCancellation: { next: 'ACTIVE' },
    takeBackUpdates: { next: 'ACTIVE' },
    awaitPayment: { refusal: 'it has started' },
    confirmPayment: { refusal: 'it has started' },
    cancel: { next: 'CANCELED' },
  },
  PAYMENT_PENDING: {
    start: { refusal: 'its payment is pending' },
    startTrial: { refusal: 'its payment is pending' },
    tellTrialEnd: { refusal: 'it is not in trial' },
    convertTrial: { refusal: 'it is not in trial' },
    expireTrial: { refusal: 'it is not in trial' },
    executeUpdate: { refusal: 'its payment is pending' },
    rollOut: { refusal: 'its payment is pending' },
    update: { refusal: 'its payment is pending' },
    moveTrialEnd: { refusal: 'it is not in trial' },
    migrate: { refusal: 'its payment is pending' },
    transfer: { refusal: 'its payment is pending' },
    scheduleCancellation: { refusal: 'its payment is pending; it can be cancelled at once only' },
    takeBackUpdates: { next: 'PAYMENT_PENDING' },
    awaitPayment: { refusal: 'its payment is pending' },
    confirmPayment: { next: 'ACTIVE' },
    cancel: { next: 'CANCELED' },
  },
  CANCELED: allRefused('it is cancelled'),
  EXPIRED: allRefused('its trial has ended'),
};

/** Why the operation cannot be, or undefined when it can. */
export function refusalOf(status: SubscriptionStatus, operation: Operation): string | undefined {
  const cell = statusTable[status][operation];
  return 'refusal' in cell ? cell.refusal : undefined;
}

/** Throws where the table refuses: whoever calls has asked `refusalOf`, or knows the status. */
export function statusAfter(status: SubscriptionStatus, operation: Operation): SubscriptionStatus {
  const cell = statusTable[status][operation];
  if ('refusal' in cell) throw new Error(`${operation} does not happen to ${status}: ${cell.refusal}`);
  return cell.next;
}

function allRefused(refusal: string): Readonly<Record<Operation, Cell>> {
  const cell = { refusal };
  return {
    start: cell,
    startTrial: cell,
    tellTrialEnd: cell,
    convertTrial: cell,
    expireTrial: cell,
    executeUpdate: cell,
    rollOut: cell,
    update: cell,
    moveTrialEnd: cell,
    migrate: cell,
    transfer: cell,
    scheduleCancellation: cell,
    takeBackUpdates: cell,
    awaitPayment: cell,
    confirmPayment: cell,
    cancel: cell,
  };
}
