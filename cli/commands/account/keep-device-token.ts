import type { Context } from '../../context.ts';

/** Keeps what the server knows this machine by; a command goes on without it. */
export async function keepDeviceToken(
  context: Pick<Context, 'account' | 'deviceTokens' | 'reporter'>,
  email: string,
  token: string,
): Promise<void> {
  if (token === '') return;
  const saved = await context.deviceTokens.save(context.account, email, token);
  if (saved.ok) return;
  await context.reporter.warn(
    `the device token of this machine cannot be stored: ${saved.failure.message}`,
  );
}
