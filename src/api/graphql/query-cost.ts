/**
 * What a query may cost, found before it runs: every field costs its weight, and what is selected of a list
 * counts once for each item that the list may have. Fragments count wherever they are used but are walked once,
 * so the walk is linear in the document's length whatever the document does.
 */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  getArgumentValues,
  getNamedType,
  type GraphQLNamedType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { FieldCost } from '../context.ts';

/** One page of 1,000 customers with all that is stored of each costs some 14,000. */
export const queryCostMax = 25_000;
/** Fields inside one another; the deepest that the schema has is half of it. Introspection has a rule of its own. */
export const queryDepthMax = 15;

/** The whole schema's description takes a few milliseconds and 100 KB. */
const introspectionWeight = 1_000;

export interface QueryToWeigh {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly fieldCosts: ReadonlyMap<string, FieldCost>;
}

/** The sentence that refuses a query which is too deep or costs too much; undefined for all others. */
export function complexityProblem(query: QueryToWeigh): string | undefined {
  const { cost, depth } = weigh(query);
  if (depth > queryDepthMax) return `fields are nested ${depth} deep; at most ${queryDepthMax} are allowed`;
  if (cost > queryCostMax) {
    return `the query costs ${cost}; at most ${queryCostMax} is allowed: ask for fewer fields, smaller pages or fewer operations at once`;
  }
  return undefined;
}

export interface Weight {
  readonly cost: number;
  readonly depth: number;
}

/** The document must have passed validation: its fields exist and its fragments form no cycle. */
export function weigh(query: QueryToWeigh): Weight {
  const root = query.schema.getRootType(query.operation.operation) ?? undefined;
  return weighSelections(query, query.operation.selectionSet, root, new Map());
}

const nothing: Weight = { cost: 0, depth: 0 };

function weighSelections(
  query: QueryToWeigh,
  { selections }: SelectionSetNode,
  type: GraphQLNamedType | undefined,
  weighed: Map<string, Weight>,
): Weight {
  let { cost, depth } = nothing;
  for (const selection of selections) {
    const weight =
      selection.kind === Kind.FIELD
        ? weighField(query, selection, type, weighed)
        : selection.kind === Kind.FRAGMENT_SPREAD
          ? weighFragment(query, selection.name.value, weighed)
          : weighSelections(query, selection.selectionSet, conditionType(query, selection) ?? type, weighed);
    cost += weight.cost;
    depth = Math.max(depth, weight.depth);
  }
  return { cost, depth };
}

function weighField(
  query: QueryToWeigh,
  node: FieldNode,
  type: GraphQLNamedType | undefined,
  weighed: Map<string, Weight>,
): Weight {
  const name = node.name.value;
  if (name === '__typename') return { cost: 1, depth: 1 };
  if (name.startsWith('__')) return { cost: introspectionWeight, depth: 1 };
  const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
  if (field === undefined) return { cost: 1, depth: 1 };
  const { weight, items } = query.fieldCosts.get(`${type?.name}.${name}`) ?? { weight: 1 };
  const inner =
    node.selectionSet === undefined
      ? nothing
      : weighSelections(query, node.selectionSet, getNamedType(field.type), weighed);
  // A mutation's answer is as long as what was sent, and sent values are not read twice just to count them.
  const times = items === undefined ? 1 : items(getArgumentValues(field, node, query.variables));
  return { cost: weight + times * inner.cost, depth: 1 + inner.depth };
}

function weighFragment(query: QueryToWeigh, name: string, weighed: Map<string, Weight>): Weight {
  const known = weighed.get(name);
  if (known !== undefined) return known;
  const fragment = query.fragments.get(name);
  if (fragment === undefined) return nothing;
  const weight = weighSelections(query, fragment.selectionSet, conditionType(query, fragment), weighed);
  weighed.set(name, weight);
  return weight;
}

function conditionType(
  { schema }: QueryToWeigh,
  { typeCondition }: { readonly typeCondition?: { readonly name: { readonly value: string } } | undefined },
): GraphQLNamedType | undefined {
  return typeCondition === undefined ? undefined : schema.getType(typeCondition.name.value);
}
