import { describe, expect, it } from 'vitest';
import type { Package, PricingType } from './package.ts';
import { archiveProduct, changeProduct, makeProduct, type ProductSettingsFields } from './product-changes.ts';
import type { Product } from './product.ts';

function made(): Product {
  const changed = makeProduct('hosting', { displayName: 'Hosting' }, 'id', 1);
  if ('problem' in changed) throw new Error(changed.problem.message);
  return changed.product;
}

function planOf(productId: string, pricingType: PricingType, status: Package['status'] = 'DRAFT'): Package {
  return { refId: 'plan', type: 'PLAN', productId, status, draft: { pricingType } } as Package;
}

const downgrade: ProductSettingsFields = {
  subscriptionEndSetup: 'DOWNGRADE_TO_FREE',
  downgradePlanId: 'plan',
};
const freeStart: ProductSettingsFields = {
  subscriptionStartSetup: 'FREE_PLAN',
  subscriptionStartPlanId: 'plan',
};
const trialStart: ProductSettingsFields = { ...freeStart, subscriptionStartSetup: 'TRIAL_PERIOD' };

describe('the plans of the customer journey', () => {
  it.each<[string, ProductSettingsFields, Package]>([
    ['of another product', downgrade, planOf('mail', 'FREE')],
    ['archived', downgrade, planOf('hosting', 'FREE', 'ARCHIVED')],
    ['paid, to downgrade to', downgrade, planOf('hosting', 'PAID')],
    ['paid, to start with for free', freeStart, planOf('hosting', 'PAID')],
  ])('cannot be %s', (_, productSettings, plan) => {
    const changed = changeProduct(made(), { productSettings }, new Map([['plan', plan]]), 2);
    expect(changed).toMatchObject({ problem: { code: 'VALIDATION_ERROR' } });
  });

  it.each<[string, ProductSettingsFields, Package]>([
    ['free, to downgrade to', downgrade, planOf('hosting', 'FREE')],
    ['paid, to try', trialStart, planOf('hosting', 'PAID')],
  ])('can be %s', (_, productSettings, plan) => {
    const changed = changeProduct(made(), { productSettings }, new Map([['plan', plan]]), 2);
    expect(changed).toMatchObject({ product: { productSettings, updatedAt: 2 } });
  });

  it('exist', () => {
    expect(changeProduct(made(), { productSettings: downgrade }, new Map(), 2)).toMatchObject({
      problem: { code: 'PLAN_NOT_FOUND' },
    });
  });
});

describe('a product', () => {
  it('is the very same when nothing changes', () => {
    const product = made();
    const fields = { displayName: 'Hosting', productSettings: {}, usageResetCutoffRule: null };
    expect(changeProduct(product, fields, new Map(), 2)).toEqual({ product });
    const archived = archiveProduct(product, 2);
    expect(archiveProduct(archived, 3)).toBe(archived);
  });

  it('goes back to its defaults', () => {
    const journey = {
      productSettings: { subscriptionCancellationTime: 'END_OF_BILLING_PERIOD' },
      usageResetCutoffRule: { behavior: 'NEVER_RESET' },
    } as const;
    const changed = changeProduct(made(), journey, new Map(), 2);
    if ('problem' in changed) throw new Error(changed.problem.message);
    const cleared = { productSettings: null, usageResetCutoffRule: null };
    expect(changeProduct(changed.product, cleared, new Map(), 3)).toEqual({
      product: { ...made(), updatedAt: 3 },
    });
  });
});
