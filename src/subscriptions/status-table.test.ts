import { describe, expect, it } from 'vitest';
import { refusalOf, statusAfter, statusTable } from './status-table.ts';
import { accessStatuses, type SubscriptionStatus } from './subscription.ts';

const statuses = Object.keys(statusTable) as SubscriptionStatus[];

describe('the status table', () => {
  it('says what is possible in each status', () => {
    const possible = statuses.map((status) => {
      const cells = Object.entries(statusTable[status]);
      return [status, cells.filter(([, cell]) => 'next' in cell).map(([operation]) => operation)];
    });
    expect(Object.fromEntries(possible)).toEqual({
      NOT_STARTED: [
        'start',
        'startTrial',
        'update',
        'moveTrialEnd',
        'migrate',
        'transfer',
        'scheduleCancellation',
        'takeBackUpdates',
        'awaitPayment',
        'cancel',
      ],
      IN_TRIAL: [
        'tellTrialEnd',
        'convertTrial',
        'expireTrial',
        'rollOut',
        'update',
        'moveTrialEnd',
        'migrate',
        'transfer',
        'scheduleCancellation',
        'takeBackUpdates',
        'cancel',
      ],
      ACTIVE: [
        'executeUpdate',
        'rollOut',
        'update',
        'migrate',
        'transfer',
        'scheduleCancellation',
        'takeBackUpdates',
        'cancel',
      ],
      PAYMENT_PENDING: ['takeBackUpdates', 'confirmPayment', 'cancel'],
      CANCELED: [],
      EXPIRED: [],
    });
  });

  it('gives access in trial and while active, and in no other status', () => {
    expect(statuses.filter((status) => accessStatuses.has(status))).toEqual(['IN_TRIAL', 'ACTIVE']);
  });

  it('leads from a start to access, and from an end to nowhere', () => {
    expect(statusAfter('NOT_STARTED', 'startTrial')).toBe('IN_TRIAL');
    expect(statusAfter('IN_TRIAL', 'expireTrial')).toBe('EXPIRED');
    expect(statusAfter(statusAfter('NOT_STARTED', 'awaitPayment'), 'confirmPayment')).toBe('ACTIVE');
    expect(refusalOf('CANCELED', 'cancel')).toBe('it is cancelled');
    expect(() => statusAfter('EXPIRED', 'start')).toThrow('its trial has ended');
  });
});
