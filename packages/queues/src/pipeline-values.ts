/**
 * The answers of a pipeline, in order.
 *
 * @throws the first error: `exec` itself is fulfilled even when the connection was lost before a single answer came
 */
export function pipelineValues(answers: [Error | null, unknown][] | null): unknown[] {
  return (answers ?? []).map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
}
