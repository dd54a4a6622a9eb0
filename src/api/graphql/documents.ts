/** GraphQL documents: parsed and validated once while they are in use, within bounds. */
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  type SelectionSetNode,
  validate,
} from 'graphql';

export const documentLimits = {
  /** Names, punctuators and values. GraphiQL's introspection has some 320. */
  tokensMax: 4_000,
  /** UTF-16 units; long texts inside a document count here and not as tokens. */
  lengthMax: 262_144,
  /** Errors of one document that are told. */
  errorsMax: 20,
  /** A document at this length takes some 100 KB once it is parsed; longer ones are parsed each time. */
  cachedLengthMax: 8_192,
  cachedMax: 500,
} as const;

export interface ReadyDocument {
  readonly document: DocumentNode;
  readonly operations: readonly OperationDefinitionNode[];
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Whether all that it asks for is `__schema`, `__type` and `__typename`. */
  readonly introspectionOnly: boolean;
}

export class DocumentReader {
  readonly #schema: GraphQLSchema;
  /** In order of use, the longest unused first. */
  readonly #cache = new Map<string, ReadyDocument>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  /** The document, or what is wrong with it. */
  read(text: string): ReadyDocument | readonly GraphQLError[] {
    const cached = this.#cache.get(text);
    if (cached !== undefined) {
      this.#cache.delete(text);
      this.#cache.set(text, cached);
      return cached;
    }
    const document = this.#parseAndValidate(text);
    if (!('kind' in document)) return document;
    const ready = readyDocument(document);
    if (text.length <= documentLimits.cachedLengthMax) this.#keep(text, ready);
    return ready;
  }

  get cached(): number {
    return this.#cache.size;
  }

  #parseAndValidate(text: string): DocumentNode | readonly GraphQLError[] {
    const { lengthMax, tokensMax, errorsMax } = documentLimits;
    if (text.length > lengthMax) {
      return [tooComplex(`the document is longer than ${lengthMax} characters; send values as variables`)];
    }
    try {
      const document = parse(text, { maxTokens: tokensMax });
      const errors = validate(this.#schema, document, undefined, { maxErrors: errorsMax });
      if (errors.length === 0) return document;
      return errors.some(({ message }) => message === 'Validation aborted.') ? [tooRepetitive] : errors;
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      // graphql has no code for it.
      return [error.message.endsWith('Parsing aborted.') ? tooManyTokens : error];
    }
  }

  #keep(text: string, ready: ReadyDocument): void {
    this.#cache.set(text, ready);
    if (this.#cache.size <= documentLimits.cachedMax) return;
    for (const oldest of this.#cache.keys()) {
      this.#cache.delete(oldest);
      return;
    }
  }
}

const tooManyTokens = tooComplex(
  `the document has more than ${documentLimits.tokensMax} tokens; send values as variables`,
);
/** Fields of one name are compared with each other, and graphql stops where that takes too long. */
const tooRepetitive = tooComplex('the document selects the same field too many times');

function tooComplex(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'QUERY_TOO_COMPLEX' } });
}

function readyDocument(document: DocumentNode): ReadyDocument {
  const operations: OperationDefinitionNode[] = [];
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition);
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const introspectionOnly = operations.every(
    (operation) =>
      operation.operation === OperationTypeNode.QUERY &&
      asksForSchemaOnly(operation.selectionSet, fragments, new Set()),
  );
  return { document, operations, fragments, introspectionOnly };
}

function asksForSchemaOnly(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  seen: Set<string>,
): boolean {
  return selections.every((selection) => {
    if (selection.kind === Kind.FIELD) return selection.name.value.startsWith('__');
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return asksForSchemaOnly(selection.selectionSet, fragments, seen);
    }
    const name = selection.name.value;
    const fragment = fragments.get(name);
    if (fragment === undefined || seen.has(name)) return true;
    seen.add(name);
    return asksForSchemaOnly(fragment.selectionSet, fragments, seen);
  });
}
