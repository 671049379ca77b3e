import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

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

/** How long a message that reached no queue, or was refused by it, is published again. */
const retryMs = 10_000;

/**
 * A bare producer, as docs/events.md shows one: what is returned or not confirmed is published
 * again, as it happens while a daemon that has just started declares its queues.
 */
export async function createProducer(url: string): Promise<Producer> {
  const connection: ChannelModel = await connect(url);
  connection.on('error', () => undefined);
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined);
  const returned = new Set<string>();
  channel.on('return', ({ properties, content }) => {
    returned.add((properties.messageId as string | undefined) ?? content.toString());
  });
  const publish = (body: string, properties: { messageId?: string }): Promise<boolean> =>
    new Promise((resolve) => {
      const options = { persistent: true, mandatory: true, ...properties };
      channel.sendToQueue('wallet_queue', Buffer.from(body), options, (err: unknown) => {
        // An unroutable message is confirmed too: its return comes before.
        const isReturned = returned.delete(properties.messageId ?? body);
        resolve(!err && !isReturned);
      });
    });
  const send = async (body: string, properties: { messageId?: string } = {}): Promise<void> => {
    const endsAtMs = performance.now() + retryMs;
    while (!(await publish(body, properties))) {
      if (performance.now() > endsAtMs) throw new Error('not confirmed');
      await sleep(100);
    }
  };
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
