import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeType, listFields, type JsonSchema } from './describe-schema.ts';

const describe = (schema: z.ZodType) => describeType(z.toJSONSchema(schema) as JsonSchema);

test.each([
  [z.enum(['hour', 'day']).default('hour'), 'hour | day, default "hour"'],
  [z.int().min(1).max(500), 'integer from 1 to 500'],
  [z.uuid().nullable(), 'uuid or null'],
  [z.array(z.string().max(9)), 'list of string'],
  [z.unknown(), 'anything'],
])('%# is put into words', (schema, words) => {
  expect(describe(schema)).toBe(words);
});

test('every field is told with its path, also within lists and alternatives, once', () => {
  const item = z.object({ id: z.uuid().describe('its id'), note: z.string().optional() });
  const schema = z.union([z.object({ items: z.array(item), next: z.string().nullable() }), z.object({ items: z.array(item) })]);
  expect(listFields(z.toJSONSchema(schema) as JsonSchema)).toEqual([
    { path: 'items', type: 'list of object', description: undefined },
    { path: 'items[].id', type: 'uuid', description: 'its id' },
    { path: 'items[].note', type: 'string, may be left out', description: undefined },
    { path: 'next', type: 'string or null', description: undefined },
  ]);
});
