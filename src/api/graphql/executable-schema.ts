import { buildSchema, type GraphQLSchema, isObjectType, isScalarType } from 'graphql';
import type { ApiModule } from '../context.ts';
import { connectionTypeDefs } from './connection.ts';
import { scalarCoercions, scalarTypeDefs } from './scalars.ts';

const rootTypeDefs = /* GraphQL */ `
  "What can be asked. Nothing is changed by asking."
  type Query

  """
  What can be changed. Fields of one call are carried out one after another; one that fails does not undo those
  before it.
  """
  type Mutation

  """
  What can be followed live, over server-sent events at \`/graphql/stream\`. Each update holds the state then; one that
  comes soon after another may stand for both.
  """
  type Subscription
`;

/** The schema of the modules together, with what answers it. Throws when a resolver answers no field of it. */
export function makeExecutableSchema(modules: readonly ApiModule[]): GraphQLSchema {
  const typeDefs = [
    rootTypeDefs,
    scalarTypeDefs,
    connectionTypeDefs,
    ...modules.map((module) => module.typeDefs),
  ];
  const schema = buildSchema(typeDefs.join('\n'));
  for (const module of modules) attachResolvers(schema, module);
  for (const type of Object.values(schema.getTypeMap())) {
    const coercion = isScalarType(type) ? scalarCoercions[type.name] : undefined;
    if (coercion !== undefined) Object.assign(type, coercion);
  }
  return schema;
}

function attachResolvers(schema: GraphQLSchema, module: ApiModule): void {
  for (const [typeName, resolvers] of Object.entries(module.resolvers)) {
    const type = schema.getType(typeName);
    for (const [fieldName, resolve] of Object.entries(resolvers)) {
      const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
      if (field === undefined) throw new Error(`the schema has no field ${typeName}.${fieldName} to resolve`);
      const resolver = resolve as unknown as NonNullable<typeof field.resolve>;
      // A subscription's resolver makes the stream, of which each item is the field's value.
      if (type === schema.getSubscriptionType())
        Object.assign(field, { subscribe: resolver, resolve: itself });
      else field.resolve = resolver;
    }
  }
}

function itself(value: unknown): unknown {
  return value;
}
