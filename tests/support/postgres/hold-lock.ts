import { walletIdOf } from '../../../core/ids.ts';
import { connectClient } from './client.ts';

/** Begins a transaction on a connection of its own and runs `text` in it; the result ends both. */
export async function holdLock(
  databaseUrl: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<() => Promise<void>> {
  const client = await connectClient(databaseUrl);
  try {
    await client.query('BEGIN');
    await client.query(text, [...values]);
  } catch (err) {
    await client.end().catch(() => undefined);
    throw err;
  }
  return () => client.end();
}

/** Holds the row lock of a user's wallet until the function that it resolves to is called. */
export const holdWallet = (
  databaseUrl: string,
  userId: string,
  currency = 'BRL',
): Promise<() => Promise<void>> =>
  holdLock(databaseUrl, 'SELECT 1 FROM wallets WHERE id = $1 FOR UPDATE', [
    walletIdOf(userId, currency),
  ]);
