/** What a request asks to be done, once it is sure that it can be: found in its document, valid, and not too much. */
import {
  type DocumentNode,
  getVariableValues,
  GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import type { FieldCost } from '../context.ts';
import { DocumentReader, type ReadyDocument } from './documents.ts';
import { complexityProblem } from './query-cost.ts';

/** As clients send it. */
export interface OperationRequest {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

export interface ReadOperation {
  readonly kind: OperationTypeNode;
  /** Whether all that its document asks for is `__schema`, `__type` and `__typename`. */
  readonly introspectionOnly: boolean;
  readonly args: {
    readonly schema: GraphQLSchema;
    readonly document: DocumentNode;
    readonly operationName: string | null | undefined;
    readonly variableValues: Record<string, unknown> | null | undefined;
  };
  /** What is wrong with its variables, or that it would cost too much; none when it may be executed. */
  problems(): readonly GraphQLError[];
}

export class OperationReader {
  readonly #schema: GraphQLSchema;
  readonly #fieldCosts: ReadonlyMap<string, FieldCost>;
  readonly #documents: DocumentReader;

  constructor(schema: GraphQLSchema, fieldCosts: ReadonlyMap<string, FieldCost>) {
    this.#schema = schema;
    this.#fieldCosts = fieldCosts;
    this.#documents = new DocumentReader(schema);
  }

  read(request: OperationRequest): ReadOperation | { readonly errors: readonly GraphQLError[] } {
    const { query, operationName, variables } = request;
    const ready = this.#documents.read(query);
    if (!('document' in ready)) return { errors: ready };
    const operation = operationOf(ready, operationName);
    if (operation instanceof GraphQLError) return { errors: [operation] };
    return {
      kind: operation.operation,
      introspectionOnly: ready.introspectionOnly,
      args: { schema: this.#schema, document: ready.document, operationName, variableValues: variables },
      problems: () => this.#problemsOf(ready, operation, variables ?? {}),
    };
  }

  /**
   * A query's variables decide what it costs, so they are coerced here first. A mutation's may be megabytes, and
   * what it costs does not depend on them: execution alone reads those.
   */
  #problemsOf(
    { fragments }: ReadyDocument,
    operation: OperationDefinitionNode,
    inputs: Readonly<Record<string, unknown>>,
  ): readonly GraphQLError[] {
    const schema = this.#schema;
    let variables = inputs;
    if (operation.operation !== OperationTypeNode.MUTATION) {
      const values = getVariableValues(schema, operation.variableDefinitions ?? [], inputs, {
        maxErrors: 20,
      });
      if (values.errors !== undefined) return values.errors;
      variables = values.coerced;
    }
    try {
      const fieldCosts = this.#fieldCosts;
      const problem = complexityProblem({ schema, operation, fragments, variables, fieldCosts });
      if (problem === undefined) return [];
      return [new GraphQLError(problem, { extensions: { code: 'QUERY_TOO_COMPLEX' } })];
    } catch (error) {
      if (error instanceof GraphQLError) return [error];
      throw error;
    }
  }
}

function operationOf(
  { operations }: ReadyDocument,
  name: string | null | undefined,
): OperationDefinitionNode | GraphQLError {
  const named = operations.filter(
    (operation) => name === null || name === undefined || operation.name?.value === name,
  );
  const [operation] = named;
  if (operation === undefined) return new GraphQLError('the document has no operation of that name');
  if (named.length > 1)
    return new GraphQLError('the document has several operations: name one by operationName');
  return operation;
}
