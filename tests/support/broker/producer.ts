import { randomUUID } from 'node:crypto';

import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { connect as connectGrpc } from '../grpc/client.ts';
import { password } from '../processes/world.ts';

export type Emitted = {
  readonly userId: string;
  readonly operation: string | number;
  readonly amount?: string | number;
  readonly id?: string;
  readonly currency?: string;
  readonly merchant?: string;
  readonly messageId?: string;
};

export type Producer = {
  readonly channel: ConfirmChannel;
  /** Sends one `transaction_emitted`, confirmed; gives its key. */
  emit(emitted: Emitted): Promise<string>;
  /** Any bytes with any properties to `wallet_queue`, confirmed. */
  send(body: string, properties?: { messageId?: string }): Promise<void>;
  close(): Promise<void>;
};

/** A bare producer, as docs/events.md shows one. */
export async function createProducer(url: string): Promise<Producer> {
  const connection: ChannelModel = await connect(url);
  connection.on('error', () => undefined);
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined);
  const send = (body: string, properties: { messageId?: string } = {}): Promise<void> =>
    new Promise((resolve, reject) => {
      channel.sendToQueue(
        'wallet_queue',
        Buffer.from(body),
        { persistent: true, ...properties },
        (err: unknown) => {
          if (err) reject(err instanceof Error ? err : new Error('not confirmed'));
          else resolve();
        },
      );
    });
  return {
    channel,
    send,
    emit: async ({ messageId = randomUUID(), ...emitted }) => {
      await send(toBody(emitted), { messageId });
      return messageId;
    },
    close: async () => {
      await connection.close().catch(() => undefined);
    },
  };
}

export function toBody({ userId, ...transaction }: Omit<Emitted, 'messageId'>): string {
  return JSON.stringify({ pattern: 'transaction_emitted', data: { userId, transaction } });
}

/** A customer's id, and a token. */
export async function signUp(
  address: string,
  name: string,
): Promise<{ readonly id: string; readonly token: string }> {
  const client = connectGrpc(address);
  const email = `${name}@example.com`;
  await client.call(AuthServiceService.signUp, { email, password });
  const signedIn = await client.call(AuthServiceService.signIn, {
    email,
    password,
    client: '',
    deviceToken: '',
  });
  client.close();
  if (!signedIn.ok) throw new Error(signedIn.reason);
  return {
    id: signedIn.value.user?.id ?? '',
    token: signedIn.value.tokens?.accessToken ?? '',
  };
}
