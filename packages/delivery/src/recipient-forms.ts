import type postgres from 'postgres';

/**
 * The forms under which one person may be known, as an array with the given address first.
 *
 * Mexican mobile numbers are written with and without a 1 after +52: what is sent to one form comes back from the other. Every other
 * address, a business-scoped user id included, has one form. {@link formsOfAddress} is the same rule outside of a statement.
 *
 * @param address name of the column
 */
export function formsOf(sql: postgres.ISql, address: string) {
  const column = sql(address);
  return sql`CASE
    WHEN ${column} NOT LIKE 'whatsapp:+52%' THEN ARRAY[${column}]
    WHEN ${column} ~ '^whatsapp:[+]521[0-9]{10}$' THEN ARRAY[${column}, 'whatsapp:+52' || right(${column}, 10)]
    WHEN ${column} ~ '^whatsapp:[+]52[0-9]{10}$' THEN ARRAY[${column}, 'whatsapp:+521' || right(${column}, 10)]
    ELSE ARRAY[${column}]
  END`;
}

/** The forms of one address, in no particular order. */
export function formsOfAddress(address: string): string[] {
  const [, national] = /^whatsapp:\+521?(\d{10})$/.exec(address) ?? [];
  return national === undefined ? [address] : [`whatsapp:+52${national}`, `whatsapp:+521${national}`];
}
