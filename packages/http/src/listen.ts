import type { HttpServer } from './create-server.ts';

/**
 * Starts to take connections.
 *
 * @param options.portKey the name of the environment variable that holds the port: what the operator would change
 * @returns the address, with the port that was chosen when 0 was asked for
 * @throws Error that says what to do, when the port is taken or the host is not one of this machine's
 */
export async function listen(server: HttpServer, options: { host: string; port: number; portKey: string }): Promise<string> {
  const { host, port } = options;
  try {
    return await server.listen({ host, port });
  } catch (error) {
    throw new Error(explain((error as NodeJS.ErrnoException).code, options), { cause: error });
  }
}

function explain(code: string | undefined, { host, port, portKey }: { host: string; port: number; portKey: string }): string {
  if (code === 'EADDRINUSE')
    return `${portKey} ${port} is taken on ${host}: end what listens there, give another port, or 0 for any free one`;
  return `cannot listen on ${host} port ${port} (${code ?? 'unknown reason'}): check LISTEN_HOST and ${portKey}`;
}
