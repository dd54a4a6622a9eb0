import { describe, expect, it } from 'vitest';
import {
  archivePackage,
  changePackage,
  inUse,
  makePackage,
  type PackageFields,
  packageLimits,
  parentsOf,
  publishPackage,
  withDraft,
} from './package-changes.ts';
import type { Feature } from './feature.ts';
import type { Package, PackageType } from './package.ts';
import type { Product } from './product.ts';

const product = { refId: 'hosting', status: 'PUBLISHED' } as Product;

function made(
  refId: string,
  fields: PackageFields = {},
  related: readonly Package[] = [],
  type: PackageType = 'PLAN',
): Package {
  const asked = { id: `id-${refId}`, refId, type, fields: { displayName: refId, ...fields }, product };
  const changed = makePackage(asked, new Map(related.map((item) => [item.refId, item])), 1);
  if ('problem' in changed) throw new Error(changed.problem.message);
  return changed.package;
}

function published(item: Package, parent?: Package): Package {
  const changed = publishPackage(item, parent, 'NEW_CUSTOMERS', 2);
  if ('problem' in changed) throw new Error(changed.problem.message);
  return changed.package;
}

function edited(item: Package, fields: PackageFields, related: readonly Package[] = []): Package {
  const changed = changePackage(item, fields, new Map(related.map((other) => [other.refId, other])), 3);
  if ('problem' in changed) throw new Error(changed.problem.message);
  return changed.package;
}

describe('a package', () => {
  it('is a draft until it is published, and then has versions beside its draft', () => {
    const draft = made('basic');
    expect(draft).toMatchObject({ status: 'DRAFT', versions: [], draft: { displayName: 'basic' } });
    const first = published(draft);
    expect(first).toMatchObject({ status: 'PUBLISHED', draft: null, updatedAt: 2 });
    const second = edited(first, { displayName: 'Basic+' });
    expect(second.draft?.displayName).toBe('Basic+');
    expect(second.versions).toEqual(first.versions);
    const versions = published(second).versions.map(({ versionNumber, content, publishedAt }) => [
      versionNumber,
      content.displayName,
      publishedAt,
    ]);
    expect(versions).toEqual([
      [1, 'basic', 2],
      [2, 'Basic+', 2],
    ]);
  });

  it('is the very same when an edit changes nothing', () => {
    const plan = published(made('basic', { description: 'd' }));
    expect(edited(plan, { description: 'd', maxQuantity: null })).toBe(plan);
    expect(withDraft(plan, { pricingType: null }, 3)).toEqual({ package: plan });
  });

  it('is the very same when it is archived again', () => {
    const archived = archivePackage(made('basic'), 4);
    expect(archived).toMatchObject({ status: 'ARCHIVED', updatedAt: 4 });
    expect(archivePackage(archived, 5)).toBe(archived);
  });

  it('grows within a bound', () => {
    const metadata = { text: 'x'.repeat(packageLimits.lengthMax) };
    expect(withDraft(made('basic'), { additionalMetaData: metadata }, 3)).toMatchObject({
      problem: { code: 'VALIDATION_ERROR', message: expect.stringContaining('larger') },
    });
  });

  it.each<[string, PackageFields]>([
    ['maxQuantity', { maxQuantity: 0 }],
    ['maxQuantity', { maxQuantity: packageLimits.quantityMax + 1 }],
    ['at most 200 add-ons', { dependencies: Array.from({ length: 201 }, (_, at) => `a${at}`) }],
    ['twice', { dependencies: ['a', 'a'] }],
    [
      '1 to 3650',
      { defaultTrialConfig: { duration: 3_651, units: 'DAY', trialEndBehavior: 'CONVERT_TO_PAID' } },
    ],
    [
      '1 to 120',
      { defaultTrialConfig: { duration: 121, units: 'MONTH', trialEndBehavior: 'CONVERT_TO_PAID' } },
    ],
    ['cannot be cleared', { displayName: null }],
  ])('is refused: %s', (message, fields) => {
    expect(changePackage(made('basic'), fields, new Map(), 3)).toEqual({
      problem: { code: 'VALIDATION_ERROR', message: expect.stringContaining(message) },
    });
  });
});

describe('a parent', () => {
  it('counts by draft and by what is published', () => {
    const [a, b] = [published(made('a')), made('b')];
    const plan = edited(published(made('plan', { parentPlanId: 'a' }, [a]), a), { parentPlanId: 'b' }, [b]);
    expect(parentsOf(plan)).toEqual(['b', 'a']);
    expect(parentsOf(undefined)).toEqual([]);
  });

  it('closes no circle, not by what only one of draft and version says', () => {
    const a = published(made('a'));
    const b = published(made('b', { parentPlanId: 'a' }, [a]), a);
    const unlinked = edited(b, { parentPlanId: null });
    const related = new Map([unlinked, a].map((item) => [item.refId, item]));
    expect(changePackage(a, { parentPlanId: 'b' }, related, 3)).toMatchObject({
      problem: { message: expect.stringContaining('cannot inherit from itself') },
    });
  });

  it('has only so many above it', () => {
    const line: Package[] = [];
    for (let at = 0; at < packageLimits.ancestorsMax; at += 1) {
      line.push(made(`p${at}`, at === 0 ? {} : { parentPlanId: `p${at - 1}` }, line));
    }
    const last = line.at(-1)?.refId ?? '';
    expect(made('deepest', { parentPlanId: last }, line)).toMatchObject({ refId: 'deepest' });
    const deeper = made('deeper', { parentPlanId: last }, line);
    const fields = { displayName: 'x', parentPlanId: 'deeper' };
    const asked = { id: 'id', refId: 'x', type: 'PLAN', fields, product } as const;
    const related = new Map([...line, deeper].map((item) => [item.refId, item]));
    expect(makePackage(asked, related, 1)).toMatchObject({
      problem: { message: 'at most 10 plans may inherit from one another' },
    });
  });

  it('is published first', () => {
    const parent = made('parent');
    const plan = made('plan', { parentPlanId: 'parent' }, [parent]);
    for (const refused of [parent, archivePackage(published(parent), 3), undefined]) {
      expect(publishPackage(plan, refused, 'NEW_CUSTOMERS', 4)).toMatchObject({
        problem: { code: 'VALIDATION_ERROR' },
      });
    }
    expect(published(plan, published(parent)).status).toBe('PUBLISHED');
  });
});

describe('a feature that is granted', () => {
  it('is in use from its first publishing on', () => {
    const feature = { featureStatus: 'NEW', updatedAt: 1 } as Feature;
    expect(inUse(feature, 2)).toEqual({ featureStatus: 'ACTIVE', updatedAt: 2 });
    const suspended: Feature = { ...feature, featureStatus: 'SUSPENDED' };
    expect(inUse(suspended, 2)).toBe(suspended);
  });
});
