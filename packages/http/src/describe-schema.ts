/** The parts of a JSON schema that are put into words. */
export interface JsonSchema {
  type?: string | string[];
  description?: string;
  format?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  additionalProperties?: JsonSchema | boolean;
}

export interface SchemaField {
  /** Such as `items[].id`. */
  path: string;
  type: string;
  description: string | undefined;
}

/** JSON's largest whole number: a bound that says nothing. */
const BOUND_MAX = Number.MAX_SAFE_INTEGER;

/** A schema in a few words: its type, values, bounds and default. */
export function describeType(schema: JsonSchema = {}): string {
  const words = [nameType(schema)];
  const { minimum = -BOUND_MAX, maximum = BOUND_MAX, maxLength, default: preset } = schema;
  if (minimum > -BOUND_MAX) words.push(`from ${minimum}`);
  if (maximum < BOUND_MAX) words.push(`to ${maximum}`);
  if (maxLength !== undefined) words.push(`up to ${maxLength} characters`);
  return `${words.join(' ')}${preset === undefined ? '' : `, default ${JSON.stringify(preset)}`}`;
}

function nameType(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(String).join(' | ');
  const alternatives = alternativesOf(schema);
  if (alternatives.length > 0) return [...new Set(alternatives.map(nameType))].join(' or ');
  if (schema.items !== undefined) return `list of ${nameType(schema.items)}`;
  return schema.format ?? [schema.type ?? 'anything'].flat().join(' or ');
}

/** Every field of an object, those of objects and lists within it too, in the order of the schema. What may be left out says so. */
export function listFields(schema: JsonSchema = {}, prefix = ''): SchemaField[] {
  const inner = [schema, ...alternativesOf(schema)];
  const own = inner.flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).flatMap(([name, field]) => {
      const path = prefix === '' ? name : `${prefix}.${name}`;
      const type = `${describeType(field)}${required.includes(name) ? '' : ', may be left out'}`;
      return [{ path, type, description: field.description }, ...listFields(field, path)];
    }),
  );
  const listed = inner.flatMap(({ items }) => (items === undefined ? [] : listFields(items, `${prefix}[]`)));
  const fields = [...own, ...listed];
  // Alternatives share most of their fields.
  return fields.filter(({ path }, index) => fields.findIndex((field) => field.path === path) === index);
}

function alternativesOf({ anyOf = [], oneOf = [], allOf = [] }: JsonSchema): JsonSchema[] {
  return [...anyOf, ...oneOf, ...allOf];
}
