import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { parseQuantity, type Quantity, quantityToText, zeroQuantity } from '../quantity.ts';
import { at, fee } from '../subscriptions/life-cycle.fixture.ts';
import type { ReservedAsk } from '../usage/live-reservations.ts';
import type { LiveFigure, LiveUsage, UsageAsk } from '../usage/live-usage.ts';
import type { CustomerStanding } from './customer-standing.ts';
import type { GrantedEntitlement } from './effective-entitlement.ts';
import type { SpendLimit } from './entitlement.ts';
import { makeFeature, startOfTests } from './entitlement.fixture.ts';
import { LiveChecks, type StandingSource } from './live-checks.ts';

const features = new Map(
  [
    makeFeature('calls'),
    makeFeature('bytes', {
      unitTransformation: { divide: '1000', round: 'UP', featureUnits: null, featureUnitsPlural: null },
    }),
    makeFeature('projects', { meterType: 'None' }),
  ].map((feature) => [feature.refId, feature]),
);

const nothing = { requestedUsage: null, requestedValues: null };
const question = { customerId: 'acme', featureId: 'calls', resourceId: null, ...nothing };
const month = { start: at('2026-05-01'), end: at('2026-06-01'), anchor: at('2026-05-01') };

/** What is asked for, in order; answers figures by feature, and whatever the customer is said to have. */
class Scene implements StandingSource, LiveUsage {
  readonly log: string[] = [];
  readonly usage = new Map<string, string>();
  readonly holds = new Map<string, string>();
  known: CustomerStanding | undefined;
  actual: CustomerStanding;

  constructor(actual: CustomerStanding, known: CustomerStanding | undefined = actual) {
    this.actual = actual;
    this.known = known;
  }

  get checks(): LiveChecks {
    return new LiveChecks({
      entitlements: this,
      usage: this,
      reservations: this,
      clock: new ManualClock(startOfTests),
    });
  }

  async entitlements(): Promise<ReadonlyMap<string, CustomerStanding>> {
    this.log.push('entitlements asked');
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    this.log.push('entitlements told');
    return new Map([['acme', this.actual]]);
  }

  remembered(): CustomerStanding | undefined {
    return this.known;
  }

  async reserved(asks: readonly ReservedAsk[]): Promise<readonly Quantity[]> {
    this.log.push(`reserved of ${asks.map(({ featureId }) => featureId).join(', ')}`);
    return asks.map(({ featureId }) => exact(this.holds.get(featureId) ?? '0'));
  }

  async current(asks: readonly UsageAsk[]): Promise<readonly LiveFigure[]> {
    this.log.push(
      `usage of ${asks.map(({ feature, period }) => `${feature.refId}${period === null ? '' : ' of a period'}`).join(', ')}`,
    );
    await new Promise((resolve) => setImmediate(resolve));
    return asks.map(({ feature }) => ({
      usage: exact(this.usage.get(feature.refId) ?? '0'),
      asOf: startOfTests - 7,
    }));
  }
}

describe('a check', () => {
  it('asks for usage while the entitlement is looked up', async () => {
    const scene = new Scene(standingOf([granted('calls')]));
    scene.usage.set('calls', '4');
    const check = await scene.checks.check(question);
    expect(quantityToText(check.currentUsage ?? zeroQuantity)).toBe('4');
    expect(check.asOf).toBe(startOfTests - 7);
    expect(scene.log).toEqual([
      'entitlements asked',
      'reserved of calls',
      'usage of calls',
      'entitlements told',
    ]);
  });

  it('of one turn shares its questions with the others, what is reserved always first', async () => {
    const scene = new Scene(standingOf([granted('calls'), granted('bytes')]));
    scene.usage.set('calls', '4');
    scene.usage.set('bytes', '5');
    const { checks } = scene;
    const asked = ['calls', 'bytes', 'calls'].map((featureId) => checks.check({ ...question, featureId }));
    const answered = await Promise.all(asked);
    // Bytes are limited in units of ten.
    expect(answered.map(({ currentUsage }) => textOf(currentUsage))).toEqual(['4', '1', '4']);
    expect(scene.log.filter((line) => !line.startsWith('entitlements'))).toEqual([
      'reserved of calls, bytes, calls',
      'usage of calls, bytes, calls',
    ]);
  });

  it('asks again when something had changed', async () => {
    const scene = new Scene(
      standingOf([granted('calls', { usagePeriod: month })]),
      standingOf([granted('calls')]),
    );
    await scene.checks.check(question);
    expect(scene.log.filter((line) => !line.startsWith('reserved'))).toEqual([
      'entitlements asked',
      'usage of calls',
      'entitlements told',
      'usage of calls of a period',
    ]);
  });

  it('asks for no usage where none is counted', async () => {
    const scene = new Scene(standingOf([granted('projects')]));
    const check = await scene.checks.check({ ...question, featureId: 'projects' });
    expect(check).toMatchObject({
      isGranted: true,
      currentUsage: null,
      requestedUsage: null,
      asOf: startOfTests,
    });
    expect(await scene.checks.check({ ...question, featureId: 'nothing' })).toMatchObject({
      accessDeniedReason: 'FeatureNotFound',
    });
    expect(scene.log.filter((line) => line.startsWith('usage'))).toEqual([]);
  });

  it('of a number that is not metered compares what is asked for', async () => {
    const { checks } = new Scene(standingOf([granted('projects', { usageLimit: exact('3') })]));
    const ask = { ...question, featureId: 'projects' };
    const outcomes = ['3', '4'].map((text) => checks.check({ ...ask, requestedUsage: exact(text) }));
    expect((await Promise.all(outcomes)).map(({ isGranted }) => isGranted)).toEqual([true, false]);
  });

  it.each([
    ['soft', { hasSoftLimit: true }],
    ['no', { hasUnlimitedUsage: true, usageLimit: null }],
  ])('with %s limit is always granted', async (_, more) => {
    const scene = new Scene(standingOf([granted('calls', more)]));
    scene.usage.set('calls', '1000');
    expect(await scene.checks.check(question)).toMatchObject({ isGranted: true, accessDeniedReason: null });
  });
});

describe('what is reserved', () => {
  it.each([
    ['6', '3', '1', true],
    ['6', '3.5', '1', false],
    ['6', '4', '0', true],
    ['10', '0', '1', false],
  ])('counts against the limit of 10: %s used, %s reserved, %s asked for', async (...row) => {
    const [used, reserved, asked, isGranted] = row;
    const scene = new Scene(standingOf([granted('calls', { usageLimit: exact('10') })]));
    scene.usage.set('calls', used);
    scene.holds.set('calls', reserved);
    const check = await scene.checks.check({ ...question, requestedUsage: exact(asked) });
    expect(check.isGranted).toBe(isGranted);
    expect([check.currentUsage, check.reservedUsage].map(textOf)).toEqual([used, reserved]);
  });

  it('is told in the units of the limit, and may fill up one that is begun', async () => {
    const scene = new Scene(standingOf([granted('bytes', { usageLimit: exact('10') })]));
    scene.usage.set('bytes', '8100');
    for (const [reserved, told, isGranted] of [
      ['900', '0', true],
      ['901', '1', false],
    ] as const) {
      scene.holds.set('bytes', reserved);
      const check = await scene.checks.check({ ...question, featureId: 'bytes' });
      expect([textOf(check.currentUsage), textOf(check.reservedUsage)]).toEqual(['9', told]);
      expect(check.isGranted).toBe(isGranted);
    }
  });
});

describe('a hard budget', () => {
  // 0.5 for each call and 2 for each thousand bytes or part of it.
  const prices = [
    fee('0.5', 'MONTHLY', { billingModel: 'USAGE_BASED', featureId: 'calls' }),
    fee('2', 'MONTHLY', { billingModel: 'USAGE_BASED', featureId: 'bytes' }),
  ];
  const budget: SpendLimit = { limit: exact('10'), resourceId: null, period: month, prices };
  const soft = { hasSoftLimit: true };

  it.each([
    ['19', '0', true],
    ['20', '0', false],
    ['0', '4000', true],
    ['0', '4001', false],
    ['12', '1001', false],
    ['-5', '4000', true],
  ])('of 10 with %s calls and %s bytes', async (calls, bytes, isGranted) => {
    const scene = new Scene(standingOf([granted('calls', { ...soft, budgets: [budget] })]));
    scene.usage.set('calls', calls).set('bytes', bytes);
    const accessDeniedReason = isGranted ? null : 'BudgetExceeded';
    expect(await scene.checks.check(question)).toMatchObject({ isGranted, accessDeniedReason });
    expect(scene.log).toContain('usage of calls, calls of a period, bytes of a period');
  });

  it('that is spent is no matter where another one is left', async () => {
    const other = { ...budget, limit: exact('1000') };
    const scene = new Scene(standingOf([granted('calls', { ...soft, budgets: [budget, other] })]));
    scene.usage.set('calls', '20');
    expect(await scene.checks.check(question)).toMatchObject({ isGranted: true });
  });
});

describe('all checks', () => {
  it('share what they ask for', async () => {
    const period = { usagePeriod: month };
    const scene = new Scene(standingOf([granted('bytes', period), granted('calls'), granted('projects')]));
    scene.usage.set('bytes', '1').set('calls', '10');
    const checks = await scene.checks.all({ customerId: 'acme', resourceId: null });
    if ('deniedReason' in checks) expect.fail(checks.deniedReason);
    else
      expect(
        checks.map(({ isGranted, currentUsage }) => [
          isGranted,
          currentUsage === null ? null : quantityToText(currentUsage),
        ]),
      ).toEqual([
        [true, '1'],
        [false, '10'],
        [true, null],
      ]);
    expect(scene.log.filter((line) => line.startsWith('usage'))).toEqual([
      'usage of bytes of a period, calls',
    ]);
  });

  it('tell why there are none', async () => {
    const scene = new Scene({ ...standingOf([]), all: () => ({ deniedReason: 'NoActiveSubscription' }) });
    const checks = await scene.checks.all({ customerId: 'acme', resourceId: null });
    expect(checks).toEqual({ deniedReason: 'NoActiveSubscription' });
  });
});

function granted(featureId: string, more: Partial<GrantedEntitlement> = {}): GrantedEntitlement {
  return {
    featureId,
    usageResourceId: null,
    usageLimit: exact('10'),
    hasUnlimitedUsage: false,
    hasSoftLimit: false,
    enumValues: null,
    resetPeriod: null,
    resetPeriodConfiguration: null,
    usagePeriod: null,
    validUntil: null,
    budgets: [],
    usageThresholds: [],
    updatedAt: startOfTests,
    ...more,
  };
}

function standingOf(entitlements: readonly GrantedEntitlement[]): CustomerStanding {
  return {
    feature: (name) => features.get(name),
    resources: () => [],
    of: (name) =>
      entitlements.find(({ featureId }) => featureId === name) ?? { deniedReason: 'FeatureNotFound' },
    all: () => entitlements,
  };
}

function exact(text: string): Quantity {
  return parseQuantity(text) ?? zeroQuantity;
}

function textOf(quantity: Quantity | null): string | null {
  return quantity && quantityToText(quantity);
}
