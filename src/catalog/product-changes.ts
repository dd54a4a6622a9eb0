/** What may be said of a product, and how a product changes by it. */
import { type CatalogProblem, invalid, notFound } from './catalog-problem.ts';
import { descriptionProblem, isGiven, namesProblem, refIdProblem } from './entity-fields.ts';
import { currentContent, type Package } from './package.ts';
import type { Product, ProductSettings, UsageResetBehavior } from './product.ts';

/** Undefined leaves a field as it is; null clears it, or brings back its default. */
export interface ProductFields {
  readonly displayName?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly multipleSubscriptions?: boolean | null | undefined;
  readonly productSettings?: ProductSettingsFields | null | undefined;
  readonly usageResetCutoffRule?: { readonly behavior: UsageResetBehavior } | null | undefined;
  readonly additionalMetaData?: Product['additionalMetaData'] | undefined;
}

export type ProductSettingsFields = {
  readonly [Field in keyof ProductSettings]?: ProductSettings[Field] | null | undefined;
};

export type ChangedProduct = { readonly product: Product } | { readonly problem: CatalogProblem };

/** Where the sources name no default, the one that grants least stands (facts, section 1.4). */
const defaultSettings: ProductSettings = {
  subscriptionStartSetup: 'PLAN_SELECTION',
  subscriptionStartPlanId: null,
  subscriptionEndSetup: 'CANCEL_SUBSCRIPTION',
  downgradePlanId: null,
  subscriptionCancellationTime: 'IMMEDIATE',
  downgradeAtEndOfBillingPeriod: false,
  prorateAtEndOfBillingPeriod: false,
};

const usageResetDefault = { behavior: 'ALWAYS_RESET' } as const;

/** `id` is a new UUID; `now` epoch ms. The settings may name plans that are yet to be made: a plan needs its product first. */
export function makeProduct(refId: string, fields: ProductFields, id: string, now: number): ChangedProduct {
  const problem = refIdProblem(refId);
  if (problem !== undefined) return { problem: invalid(problem) };
  const blank: Product = {
    id,
    refId,
    displayName: '',
    description: null,
    multipleSubscriptions: false,
    productSettings: defaultSettings,
    usageResetCutoffRule: usageResetDefault,
    status: 'PUBLISHED',
    additionalMetaData: null,
    createdAt: now,
    updatedAt: now,
  };
  return withFields(blank, fields);
}

/** `plans` are those that the fields' settings name, by their refId. The very same product when nothing changes. */
export function changeProduct(
  existing: Product,
  fields: ProductFields,
  plans: ReadonlyMap<string, Package>,
  now: number,
): ChangedProduct {
  if (existing.status === 'ARCHIVED') return { problem: invalid('an archived product cannot be changed') };
  const problem = plansProblem(existing, fields.productSettings ?? {}, plans);
  if (problem !== undefined) return { problem };
  const changed = withFields(existing, fields);
  if ('problem' in changed || JSON.stringify(changed.product) === JSON.stringify(existing)) {
    return 'problem' in changed ? changed : { product: existing };
  }
  return { product: { ...changed.product, updatedAt: now } };
}

/** Its packages stay as they are for those who have them; nobody can subscribe to them anew. */
export function archiveProduct(existing: Product, now: number): Product {
  return existing.status === 'ARCHIVED' ? existing : { ...existing, status: 'ARCHIVED', updatedAt: now };
}

function withFields(existing: Product, fields: ProductFields): ChangedProduct {
  const { displayName = existing.displayName, description = existing.description } = fields;
  const settings = settingsWith(existing.productSettings, fields.productSettings);
  const problem =
    (displayName === null ? 'displayName cannot be cleared' : namesProblem({ displayName })) ??
    descriptionProblem(description) ??
    settingsProblem(settings);
  if (problem !== undefined) return { problem: invalid(problem) };
  const { usageResetCutoffRule: rule, additionalMetaData = existing.additionalMetaData } = fields;
  const { multipleSubscriptions = existing.multipleSubscriptions } = fields;
  return {
    product: {
      ...existing,
      displayName: displayName ?? existing.displayName,
      description,
      multipleSubscriptions: multipleSubscriptions ?? false,
      productSettings: settings,
      usageResetCutoffRule: rule === undefined ? existing.usageResetCutoffRule : (rule ?? usageResetDefault),
      additionalMetaData,
    },
  };
}

function settingsWith(
  existing: ProductSettings,
  fields: ProductSettingsFields | null | undefined,
): ProductSettings {
  if (fields === null) return defaultSettings;
  const given = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined);
  const merged = given.map(([name, value]) => [
    name,
    value ?? defaultSettings[name as keyof ProductSettings],
  ]);
  return { ...existing, ...(Object.fromEntries(merged) as Partial<ProductSettings>) };
}

function settingsProblem(settings: ProductSettings): string | undefined {
  const { subscriptionStartSetup, subscriptionStartPlanId, subscriptionEndSetup, downgradePlanId } = settings;
  if (subscriptionStartSetup !== 'PLAN_SELECTION' && subscriptionStartPlanId === null) {
    return `productSettings.subscriptionStartPlanId is required with ${subscriptionStartSetup}`;
  }
  if (subscriptionEndSetup === 'DOWNGRADE_TO_FREE' && downgradePlanId === null) {
    return 'productSettings.downgradePlanId is required with DOWNGRADE_TO_FREE';
  }
  for (const [field, refId] of Object.entries({ subscriptionStartPlanId, downgradePlanId })) {
    const problem = refId === null ? undefined : refIdProblem(refId, `productSettings.${field}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function plansProblem(
  product: Product,
  settings: ProductSettingsFields,
  plans: ReadonlyMap<string, Package>,
): CatalogProblem | undefined {
  for (const field of ['subscriptionStartPlanId', 'downgradePlanId'] as const) {
    const refId = settings[field];
    if (!isGiven(refId)) continue;
    const plan = plans.get(refId);
    if (plan?.type !== 'PLAN') return notFound('plan', refId);
    const problem = planProblem(product, settings, field, plan);
    if (problem !== undefined) return invalid(`productSettings.${field}: ${problem}`);
  }
  return undefined;
}

function planProblem(
  product: Product,
  settings: ProductSettingsFields,
  field: 'subscriptionStartPlanId' | 'downgradePlanId',
  plan: Package,
): string | undefined {
  if (plan.productId !== product.refId) return 'the plan must be of this product';
  if (plan.status === 'ARCHIVED') return 'the plan is archived';
  const mustBeFree = field === 'downgradePlanId' || settings.subscriptionStartSetup === 'FREE_PLAN';
  return mustBeFree && currentContent(plan).pricingType === 'PAID' ? 'the plan must be free' : undefined;
}
