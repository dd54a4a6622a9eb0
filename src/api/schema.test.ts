import {
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  printSchema,
  validateSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { apiSchema, fieldCosts } from './schema.ts';

const ownTypes = Object.values(apiSchema.getTypeMap()).filter((type) => !isBuiltIn(type));

describe('the schema', () => {
  it('is valid', () => {
    expect(validateSchema(apiSchema)).toEqual([]);
  });

  it('is the one that schema.graphql shows', async () => {
    await expect(schemaText()).toMatchFileSnapshot('schema.graphql');
  });

  it('describes every type, field, argument and enum value', () => {
    const described = ownTypes.flatMap(descriptionsOf);
    expect(described.length).toBeGreaterThan(200);
    expect(described.filter(([, text]) => (text ?? '').trim() === '').map(([name]) => name)).toEqual([]);
  });

  it('ends every description as a sentence', () => {
    const texts = ownTypes.flatMap(descriptionsOf);
    expect(texts.filter(([, text]) => text?.endsWith('.') !== true).map(([name]) => name)).toEqual([]);
  });

  it('weighs every field that asks a store', () => {
    const roots = [apiSchema.getQueryType(), apiSchema.getMutationType()];
    const names = roots.flatMap((type) =>
      Object.keys(type?.getFields() ?? {}).map((field) => `${type?.name}.${field}`),
    );
    expect(names.filter((name) => !fieldCosts.has(name))).toEqual([]);
  });

  it('has every field that is weighed', () => {
    const fields = new Set(
      ownTypes.flatMap((type) =>
        isObjectType(type) || isInterfaceType(type)
          ? Object.keys(type.getFields()).map((field) => `${type.name}.${field}`)
          : [],
      ),
    );
    expect([...fieldCosts.keys()].filter((name) => !fields.has(name))).toEqual([]);
  });

  it('answers null for a root field that fails, so that its neighbours keep their answers', () => {
    const roots = [apiSchema.getQueryType(), apiSchema.getMutationType()];
    const fields = roots.flatMap((type) => Object.values(type?.getFields() ?? {}));
    expect(fields.filter((field) => String(field.type).endsWith('!')).map((field) => field.name)).toEqual([]);
  });
});

/** As the formatter leaves it: every description on lines of its own. */
function schemaText(): string {
  return `${printSchema(apiSchema)}\n`.replaceAll(/^( *)"""(.+)"""$/gm, '$1"""\n$1$2\n$1"""');
}

function isBuiltIn(type: GraphQLNamedType): boolean {
  return type.name.startsWith('__') || ['String', 'Int', 'Float', 'Boolean', 'ID'].includes(type.name);
}

type Described = readonly [name: string, description: string | null | undefined];

function descriptionsOf(type: GraphQLNamedType): readonly Described[] {
  const own: Described = [type.name, type.description];
  if (isEnumType(type))
    return [
      own,
      ...type.getValues().map((value): Described => [`${type.name}.${value.name}`, value.description]),
    ];
  if (isInputObjectType(type)) {
    return [
      own,
      ...Object.values(type.getFields()).map(
        (field): Described => [`${type.name}.${field.name}`, field.description],
      ),
    ];
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return [own];
  return [
    own,
    ...Object.values(type.getFields()).flatMap((field): Described[] => [
      [`${type.name}.${field.name}`, field.description],
      ...field.args.map(
        (argument): Described => [`${type.name}.${field.name}(${argument.name})`, argument.description],
      ),
    ]),
  ];
}
