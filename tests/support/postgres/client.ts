import pg from 'pg';

/**
 * A connection of a test's own, past the daemon. Without the listener, a server that ends it
 * between two statements would end the process of the tests.
 */
export async function connectClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (err) {
    await client.end().catch(() => undefined);
    throw err;
  }
  return client;
}

/** Runs `work` on a connection of its own, closed in every case. Rejects with pg's errors. */
export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connectClient(url);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The rows of one statement. */
export const queryUrl = <Row extends pg.QueryResultRow>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> =>
  withClient(url, async (client) => (await client.query<Row>(text, [...values])).rows);
