/** Why a change of the catalog is refused: a code for programs, a sentence that says what is allowed. */
import type { ProblemCode } from '../metering/facts.ts';

export interface CatalogProblem {
  readonly code: ProblemCode;
  readonly message: string;
}

export type CatalogKind = 'product' | 'plan' | 'add-on' | 'feature';

export function invalid(message: string): CatalogProblem {
  return { code: 'VALIDATION_ERROR', message };
}

export function taken(what: string, refId: string): CatalogProblem {
  return {
    code: 'DUPLICATE_ENTITY',
    message: `${what} has the refId or id ${JSON.stringify(refId)} already`,
  };
}

export function notFound(kind: CatalogKind, name: string): CatalogProblem {
  return { code: notFoundCodes[kind], message: `no ${kind} has the refId or id ${JSON.stringify(name)}` };
}

const notFoundCodes = {
  product: 'PRODUCT_NOT_FOUND',
  plan: 'PLAN_NOT_FOUND',
  'add-on': 'ADDON_NOT_FOUND',
  feature: 'FEATURE_NOT_FOUND',
} as const satisfies Readonly<Record<CatalogKind, ProblemCode>>;
