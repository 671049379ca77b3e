import type { Context } from '../../context.ts';

/** Keeps what the server knows this machine by; a command goes on without it. */
export async function keepDeviceToken(
  context: Pick<Context, 'account' | 'deviceTokens' | 'reporter'>,
  email: string,
  token: string,
): Promise<void> {
  if (token === '') return;
  await context.deviceTokens.save(context.account, email, token).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    return context.reporter.warn(`the device token of this machine cannot be stored: ${why}`);
  });
}
