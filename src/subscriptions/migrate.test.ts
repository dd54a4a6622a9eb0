import { beforeEach, describe, expect, it } from 'vitest';
import type { PackageContent, PricingType } from '../catalog/package.ts';
import {
  Account,
  at,
  dayMs,
  fee,
  makePlan,
  makeProduct,
  paid,
  problemOf,
  republished,
  trialOf,
} from './life-cycle.fixture.ts';

const start = at('2026-01-31');
const monthly = { billingPeriod: 'MONTHLY' } as const;
const contents: Readonly<Record<PricingType, Partial<PackageContent>>> = {
  FREE: { pricingType: 'FREE', prices: [] },
  CUSTOM: { pricingType: 'CUSTOM', prices: [] },
  PAID: paid(fee('10')),
};
const types: readonly PricingType[] = ['FREE', 'CUSTOM', 'PAID'];
const pairs = types.flatMap((from) => types.map((to) => [from, to] as const));

let account: Account;

beforeEach(() => {
  const seats = fee('10', 'MONTHLY', { billingModel: 'PER_UNIT', featureId: 'seats' });
  account = new Account(
    start,
    [makeProduct('app')],
    [
      ...types.map((type) => makePlan(type, 'app', contents[type])),
      makePlan('basic', 'app', {
        ...paid(fee('10'), fee('100', 'ANNUALLY')),
        compatibleAddonIds: ['extra'],
      }),
      makePlan('seated', 'app', paid(seats)),
      makePlan('tried', 'app', { ...paid(fee('20')), ...trialOf(14) }),
      makePlan('extra', 'app', paid(fee('5')), 'ADDON'),
    ],
  );
});

function publish(
  refId: string,
  content: Partial<PackageContent>,
  migrationType: 'NEW_CUSTOMERS' | 'ALL_CUSTOMERS' = 'NEW_CUSTOMERS',
): void {
  const item = account.packages.get(refId);
  if (item === undefined) throw new Error(`no package ${refId}`);
  account.packages.set(refId, republished(item, content, account.now, migrationType));
}

describe('migrating to the latest version', () => {
  it('is in place from paid to free, paid to custom and custom to free; upwards it takes a new provision', () => {
    const answers = pairs.map(([from, to]) => {
      account.packages.set('p', makePlan('p', 'app', contents[from]));
      const refId = `${from}-${to}`;
      account.provision('p', { refId, ...monthly });
      account.until(account.now + dayMs);
      publish('p', contents[to]);
      const problem = problemOf(account.tryMigrate(refId));
      if (problem === undefined) account.migrate(refId);
      else expect(problem).toContain('provision the plan anew');
      const { planVersion, pricingType } = account.find(refId);
      return [refId, planVersion, pricingType];
    });
    expect(answers).toEqual([
      ['FREE-FREE', 2, 'FREE'],
      ['FREE-CUSTOM', 1, 'FREE'],
      ['FREE-PAID', 1, 'FREE'],
      ['CUSTOM-FREE', 2, 'FREE'],
      ['CUSTOM-CUSTOM', 2, 'CUSTOM'],
      ['CUSTOM-PAID', 1, 'CUSTOM'],
      ['PAID-FREE', 2, 'FREE'],
      ['PAID-CUSTOM', 2, 'CUSTOM'],
      ['PAID-PAID', 2, 'PAID'],
    ]);
  });

  it('takes the add-ons along, and keeps billing periods and where usage is counted from', () => {
    const before = account.provision('basic', { ...monthly, addons: [{ addonId: 'extra', quantity: 2 }] });
    account.until(at('2026-02-10'));
    publish('extra', paid(fee('6')));
    publish('basic', {});
    expect(account.migrate('basic')).toEqual({
      ...before,
      planVersion: 2,
      addons: [{ addonId: 'extra', version: 2, quantity: 2 }],
    });
  });

  it('changes nothing of one that is on the latest, not even what is scheduled', () => {
    account.provision('seated', { ...monthly, unitQuantity: 9 });
    account.update('seated', { unitQuantity: 3, scheduleStrategy: 'END_OF_BILLING_PERIOD' });
    const before = account.find('seated');
    expect(account.migrate('seated')).toEqual(before);
    expect(account.migrate('seated', 'END_OF_BILLING_PERIOD')).toEqual(before);
  });

  it('is refused where the latest version does not offer what the subscription has', () => {
    account.provision('basic', { billingPeriod: 'ANNUALLY' });
    publish('basic', paid(fee('12')));
    expect(problemOf(account.tryMigrate('basic'))).toContain('no price for the billingPeriod ANNUALLY');
    expect(account.find('basic').planVersion).toBe(1);
  });

  it('waits for the end of the period, goes to what is the latest then, and can be taken back', () => {
    account.provision('basic', monthly);
    publish('basic', paid(fee('11')));
    account.migrate('basic', 'END_OF_BILLING_PERIOD');
    expect(account.find('basic').scheduledUpdates).toEqual([
      { at: at('2026-02-28'), type: 'MIGRATE_TO_LATEST' },
    ]);
    account.takeBack('basic');
    expect(account.until(at('2026-03-05')).find('basic').planVersion).toBe(1);
    account.migrate('basic', 'END_OF_BILLING_PERIOD');
    account.until(at('2026-03-20'));
    publish('basic', paid(fee('12')));
    expect(account.find('basic').planVersion).toBe(1);
    expect(account.until(at('2026-04-01')).find('basic')).toMatchObject({
      planVersion: 3,
      scheduledUpdates: [],
      billingAnchor: start,
    });
  });

  it('that waited stays where it is when the latest version takes a new provision by then', () => {
    account.provision('CUSTOM', monthly);
    publish('CUSTOM', contents.FREE);
    account.migrate('CUSTOM', 'END_OF_BILLING_PERIOD');
    publish('CUSTOM', contents.PAID);
    expect(account.until(at('2026-03-01')).find('CUSTOM')).toMatchObject({
      planVersion: 1,
      pricingType: 'CUSTOM',
      scheduledUpdates: [],
    });
  });

  it('happens at once to a trial, which goes on', () => {
    const { trial } = account.provision('tried');
    publish('tried', { ...paid(fee('25')), ...trialOf(28) });
    expect(account.migrate('tried', 'END_OF_BILLING_PERIOD')).toMatchObject({
      status: 'IN_TRIAL',
      planVersion: 2,
      trial,
    });
  });

  it('is refused to one that has ended', () => {
    account.provision('FREE');
    account.cancel('FREE');
    expect(problemOf(account.tryMigrate('FREE'))).toContain('it is cancelled');
  });
});

describe('a version for all customers', () => {
  it('takes those on earlier versions along by itself, as of its publishing', () => {
    account.provision('basic', monthly);
    account.provision('tried');
    account.until(at('2026-02-05'));
    publish('basic', paid(fee('12')), 'ALL_CUSTOMERS');
    publish('tried', paid(fee('22')), 'ALL_CUSTOMERS');
    account.until(at('2026-02-06'));
    expect(['basic', 'tried'].map((refId) => account.find(refId).planVersion)).toEqual([2, 2]);
    expect(account.statusOf('tried')).toBe('IN_TRIAL');
    expect(account.find('basic').billingAnchor).toBe(start);
  });

  it('takes nobody to a later one that is for new customers', () => {
    account.provision('basic', monthly);
    publish('basic', {}, 'ALL_CUSTOMERS');
    publish('basic', {});
    expect(account.until(start + dayMs).find('basic').planVersion).toBe(2);
  });

  it('leaves those who would begin to be billed, until one comes that they can go to', () => {
    account.provision('FREE');
    publish('FREE', contents.PAID, 'ALL_CUSTOMERS');
    expect(account.until(start + dayMs).find('FREE').planVersion).toBe(1);
    publish('FREE', contents.FREE, 'ALL_CUSTOMERS');
    expect(account.until(start + 2 * dayMs).find('FREE')).toMatchObject({
      planVersion: 3,
      pricingType: 'FREE',
    });
  });

  it('leaves those for whose billing period it has no price', () => {
    account.provision('basic', { billingPeriod: 'ANNUALLY' });
    publish('basic', paid(fee('12')), 'ALL_CUSTOMERS');
    expect(account.until(start + dayMs).find('basic').planVersion).toBe(1);
  });

  it('of an add-on reaches the subscriptions that have it', () => {
    account.provision('basic', { ...monthly, addons: [{ addonId: 'extra', quantity: 1 }] });
    publish('extra', paid(fee('7')), 'ALL_CUSTOMERS');
    expect(account.until(start + dayMs).find('basic')).toMatchObject({
      planVersion: 1,
      addons: [{ addonId: 'extra', version: 2 }],
    });
  });
});

describe('transferring to another resource', () => {
  beforeEach(() => {
    account.products.set('app', makeProduct('app', {}, true));
    account.provision('basic', { ...monthly, refId: 'one', resourceId: 'r1' });
  });

  it('changes the resource and nothing else', () => {
    const before = account.find('one');
    expect(account.transfer('one', 'r2')).toEqual({ ...before, resourceId: 'r2' });
    expect(account.transfer('one', 'r2')).toEqual({ ...before, resourceId: 'r2' });
  });

  it('is refused where something like it is, and to what is no name', () => {
    account.provision('basic', { ...monthly, refId: 'two', resourceId: 'r2' });
    expect(problemOf(account.tryTransfer('one', 'r2'))).toContain('has the subscription "two"');
    expect(problemOf(account.tryTransfer('one', 'r 2'))).toContain('destinationResourceId must');
    account.cancel('two');
    expect(account.transfer('one', 'r2').resourceId).toBe('r2');
    expect(problemOf(account.tryTransfer('two', 'r3'))).toContain('it is cancelled');
  });

  it('makes room for another', () => {
    account.transfer('one', 'r2');
    account.provision('basic', { ...monthly, refId: 'three', resourceId: 'r1' });
    expect([account.statusOf('one'), account.statusOf('three')]).toEqual(['ACTIVE', 'ACTIVE']);
  });
});
