import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

export type Method = 'get' | 'post' | 'delete';

/** Each gives one line per difference; none = as the document has it. */
export interface TwilioDocument {
  problemsOfAnswer(path: string, method: Method, status: number, body: unknown): string[];
  /** A form of a POST; a repeated parameter has an array. */
  problemsOfForm(path: string, form: Readonly<Record<string, unknown>>): string[];
  problemsOfQuery(path: string, query: Readonly<Record<string, string>>): string[];
}

interface Schema {
  $ref?: string;
  type?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean;
  required?: string[];
}
interface Operation {
  parameters?: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}
interface OpenApi {
  paths: Record<string, Partial<Record<Method, Operation>>>;
  components: { schemas: Record<string, Schema> };
}

/** The document says nothing about errors; this is the form of captured ones, which the official clients read. */
const ERROR_BODY: Schema = closed({
  type: 'object',
  properties: { code: { type: 'integer' }, message: { type: 'string' }, more_info: { type: 'string' }, status: { type: 'integer' } },
});

/**
 * Twilio's api_v2010.json in a folder, made strict: an answer must have every member that the document names and no other.
 *
 * @returns null when there is no such file
 */
export function readTwilioDocument(folder: string): TwilioDocument | null {
  const file = join(folder, 'api_v2010.json');
  if (!existsSync(file)) return null;
  const { paths, components } = JSON.parse(readFileSync(file, 'utf8')) as OpenApi;
  const message = components.schemas['api.v2010.account.message'];
  if (!message) throw new Error(`${file} has no schema of a message: is it Twilio's document?`);
  components.schemas['api.v2010.account.message'] = closed(message);
  const [forRequests, forAnswers] = [createAjv('absolute'), createAjv('relative')];
  const compiled = new Map<Schema, ValidateFunction>();
  const problems = (ajv: Ajv, schema: Schema, value: unknown): string[] => {
    const validate = compiled.get(schema) ?? ajv.compile({ ...schema, components });
    compiled.set(schema, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map((error) => `${error.instancePath || 'it'} ${error.message} ${JSON.stringify(error.params)}`);
  };
  const operationOf = (path: string, method: Method): Operation => {
    const operation = paths[path]?.[method];
    if (!operation) throw new Error(`${file} has no ${method} ${path}`);
    return operation;
  };
  const answers = new Map<string, Schema>();
  return {
    problemsOfAnswer: (path, method, status, body) => {
      const key = `${method} ${path} ${status}`;
      const response = operationOf(path, method).responses[String(status)];
      if (!response && status < 400) return [`the document knows no answer ${status} to ${method} ${path}`];
      const content = response?.content?.['application/json']?.schema;
      const schema = answers.get(key) ?? (content ? closed(content) : status >= 400 ? ERROR_BODY : { type: 'null' });
      answers.set(key, schema);
      return problems(forAnswers, schema, body);
    },
    problemsOfForm: (path, form) => {
      const schema = operationOf(path, 'post').requestBody?.content['application/x-www-form-urlencoded']?.schema ?? {};
      schema.additionalProperties = false;
      return problems(forRequests, schema, toTyped(form, schema.properties ?? {}));
    },
    problemsOfQuery: (path, query) => {
      const known = (operationOf(path, 'get').parameters ?? []).filter((parameter) => parameter.in === 'query');
      const properties = Object.fromEntries(known.map(({ name, schema }) => [name, schema]));
      return problems(forRequests, { type: 'object', properties, additionalProperties: false }, toTyped(query, properties));
    },
  };
}

/** The same object schema, with every property required and no other allowed. A reference stays what it is. */
function closed(schema: Schema): Schema {
  if (schema.$ref !== undefined) return schema;
  return { ...schema, additionalProperties: false, required: Object.keys(schema.properties ?? {}) };
}

/** Forms and queries are text; what the document calls a number, boolean or list is compared as one. */
function toTyped(fields: Readonly<Record<string, unknown>>, properties: Record<string, Schema>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const type = properties[name]?.type;
      if (type === 'array') return [name, Array.isArray(value) ? value : [value]];
      if (type === 'integer' || type === 'number') return [name, Number(value)];
      return [name, type === 'boolean' ? value === 'true' : value];
    }),
  );
}

/** The formats that Twilio names besides the usual ones. Its uris are relative in answers, as in the document's own examples. */
function createAjv(uris: 'absolute' | 'relative'): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addFormat('phone-number', /^(whatsapp:)?\+[1-9]\d{6,14}$|^whatsapp:[A-Z]{2}\.[A-Za-z0-9]+$/);
  ajv.addFormat('date-time-rfc-2822', /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000$/);
  ajv.addFormat('currency', /^[A-Za-z]{3}$/);
  ajv.addFormat('uri-map', true);
  if (uris === 'relative') ajv.addFormat('uri', /^\/\S+$/);
  return ajv;
}
