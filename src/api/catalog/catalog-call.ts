/** What the catalog's resolvers have in common: how entities are named, changed and refused. */
import type { CatalogDecision, CatalogNames, FoundEntities } from '../../catalog/catalog.ts';
import type { CatalogProblem } from '../../catalog/catalog-problem.ts';
import { ApiProblem } from '../api-problem.ts';
import type { ApiContext } from '../context.ts';
import { metadataOf } from '../graphql/metadata.ts';

export interface Input<Fields> {
  readonly input: Fields;
}

export interface NameArguments {
  readonly id?: string | null;
  readonly refId?: string | null;
}

export function nameOf({ refId, id }: NameArguments): string {
  const name = refId ?? id;
  if (name === null || name === undefined) throw new ApiProblem('VALIDATION_ERROR', 'refId is required');
  return name;
}

/** Carries out one mutation on the catalog. `decide` must be pure: it may be asked more than once. */
export async function change<Result>(
  { services, audit }: ApiContext,
  operation: string,
  names: CatalogNames,
  decide: (found: FoundEntities) => CatalogDecision<Result>,
): Promise<Result> {
  const outcome = await services.catalog.change(names, audit(operation), decide);
  if ('problem' in outcome) throw catalogProblem(outcome.problem);
  return outcome.result;
}

export function catalogProblem({ code, message }: CatalogProblem): ApiProblem {
  return new ApiProblem(code, message);
}

type Metadata = ReturnType<typeof metadataOf>;

/** Absent metadata leaves what is there. */
export function changedMetadata(value: unknown): Metadata | undefined {
  return value === undefined ? undefined : metadataOf(value);
}
