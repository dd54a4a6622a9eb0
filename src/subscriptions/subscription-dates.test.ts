import { beforeEach, describe, expect, it } from 'vitest';
import { Account, at, fee, iso, makePlan, makeProduct, paid, trialOf } from './life-cycle.fixture.ts';
import { cancellationDate, currentPeriod, effectiveEndDate } from './subscription-dates.ts';

let account: Account;

beforeEach(() => {
  const pro = { ...paid(fee('50')), ...trialOf(14) };
  account = new Account(
    at('2026-01-31'),
    [makeProduct('app')],
    [
      makePlan('basic', 'app', paid(fee('10'))),
      makePlan('pro', 'app', pro),
      makePlan('gold', 'app', { ...pro, ...trialOf(14, 'CANCEL_SUBSCRIPTION') }),
      makePlan('custom', 'app', { pricingType: 'CUSTOM' }),
    ],
  );
});

function periodOf(refId: string): readonly (string | null)[] | null {
  const period = currentPeriod(account.find(refId), account.now);
  return period && [iso(period.start), iso(period.end)];
}

function endsOf(refId: string): readonly (string | null)[] {
  const subscription = account.find(refId);
  return [iso(cancellationDate(subscription)), iso(effectiveEndDate(subscription))];
}

describe('the current billing period', () => {
  it('is the trial, then the first one after it, then the next', () => {
    account.provision('pro');
    expect(periodOf('pro')).toEqual(['2026-01-31T00:00:00', '2026-02-14T00:00:00']);
    account.until(at('2026-02-14'));
    expect(periodOf('pro')).toEqual(['2026-02-14T00:00:00', '2026-03-14T00:00:00']);
    account.until(at('2026-03-14'));
    expect(periodOf('pro')).toEqual(['2026-03-14T00:00:00', '2026-04-14T00:00:00']);
  });

  it('stays the one that it was in when the subscription ended', () => {
    account.provision('basic');
    account.cancel('basic', { time: 'END_OF_BILLING_PERIOD' });
    account.until(at('2026-08-01'));
    expect(periodOf('basic')).toEqual(['2026-01-31T00:00:00', '2026-02-28T00:00:00']);
  });

  it('is none before the start, and none without a period', () => {
    account.provision('basic', { startDate: at('2026-03-01') });
    account.provision('custom', { refId: 'custom' });
    expect([periodOf('basic'), periodOf('custom')]).toEqual([null, null]);
  });
});

describe('the dates of the end', () => {
  it('are none while nothing ends it', () => {
    account.provision('basic');
    expect(endsOf('basic')).toEqual([null, null]);
  });

  it('are the date that it is or was cancelled at', () => {
    account.provision('basic');
    account.cancel('basic', { endDate: at('2026-05-01') });
    expect(endsOf('basic')).toEqual(['2026-05-01T00:00:00', '2026-05-01T00:00:00']);
    account.until(at('2026-06-01'));
    expect(endsOf('basic')).toEqual(['2026-05-01T00:00:00', '2026-05-01T00:00:00']);
  });

  it('of a trial that is not converted are its end, and nobody cancelled it', () => {
    account.provision('gold');
    expect(endsOf('gold')).toEqual([null, '2026-02-14T00:00:00']);
    account.until(at('2026-03-01'));
    expect(endsOf('gold')).toEqual([null, '2026-02-14T00:00:00']);
  });

  it('are the start of what takes its place, when that comes first', () => {
    account.provision('basic');
    account.cancel('basic', { endDate: at('2026-05-01') });
    account.provision('custom', { startDate: at('2026-04-01') });
    expect(endsOf('basic')).toEqual(['2026-05-01T00:00:00', '2026-04-01T00:00:00']);
  });
});
