import { buildSchema, type FragmentDefinitionNode, Kind, type OperationDefinitionNode, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { FieldCost } from '../context.ts';
import { complexityProblem, weigh, type Weight } from './query-cost.ts';

const schema = buildSchema(`
  interface Named { name: String }
  type Leaf implements Named { name: String next: Leaf }
  type Query { one: Leaf many(count: Int): [Leaf] named: Named }
`);

const fieldCosts = new Map<string, FieldCost>([
  ['Query.many', { weight: 10, items: (args) => Number(args['count'] ?? 2) }],
  ['Query.one', { weight: 5 }],
]);

describe('the cost of a query', () => {
  it.each<[string, Weight]>([
    ['{ __typename }', { cost: 1, depth: 1 }],
    ['{ __schema { types { name } } }', { cost: 1_000, depth: 1 }],
    ['{ one { name } }', { cost: 6, depth: 2 }],
    ['{ a: one { name } b: one { name } }', { cost: 12, depth: 2 }],
    ['{ many { name next { name } } }', { cost: 10 + 2 * 3, depth: 3 }],
    ['{ many(count: 100) { name } }', { cost: 110, depth: 2 }],
    ['{ named { name ... on Leaf { next { name } } } }', { cost: 4, depth: 3 }],
    ['{ one { ...L ...L } } fragment L on Leaf { name next { name } }', { cost: 5 + 6, depth: 3 }],
  ])('%s', (query, weight) => {
    expect(weigh(queryOf(query))).toEqual(weight);
  });

  it('multiplies by what a variable says', () => {
    const query = 'query ($n: Int) { many(count: $n) { name } }';
    expect(weigh(queryOf(query, { n: 7 })).cost).toBe(17);
  });

  it('takes no longer for fragments that unfold to more fields than anyone can count', () => {
    const levels = Array.from(
      { length: 60 },
      (_, at) => `fragment F${at} on Leaf { ...F${at + 1} ...F${at + 1} }`,
    );
    const query = `{ one { ...F0 } } ${levels.join(' ')} fragment F60 on Leaf { name }`;
    expect(weigh(queryOf(query)).cost).toBe(5 + 2 ** 60);
  });
});

describe('a query that asks too much', () => {
  it('is told so', () => {
    expect(complexityProblem(queryOf('{ many(count: 20000) { name } }'))).toBeUndefined();
    expect(complexityProblem(queryOf('{ many(count: 26000) { name } }'))).toMatch(
      /costs 26010; at most 25000/,
    );
    const nested = (depth: number): string =>
      `{ one ${'{ next '.repeat(depth - 2)}{ name }${' }'.repeat(depth - 2)} }`;
    expect(complexityProblem(queryOf(nested(15)))).toBeUndefined();
    expect(complexityProblem(queryOf(nested(16)))).toMatch(/nested 16 deep/);
  });
});

function queryOf(
  text: string,
  variables: Readonly<Record<string, unknown>> = {},
): Parameters<typeof weigh>[0] {
  const fragments = new Map<string, FragmentDefinitionNode>();
  let operation: OperationDefinitionNode | undefined;
  for (const definition of parse(text).definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) operation = definition;
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  if (operation === undefined) throw new Error('the document has no operation');
  return { schema, operation, fragments, variables, fieldCosts };
}
