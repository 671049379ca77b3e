import type { ConfirmChannel } from 'amqplib';

import { frameOverhead } from './frames.ts';

/** A channel of amqplib's, as far as whole frames can be written to it. */
export type RawChannel = {
  readonly number: number;
  /** Longer bodies need several frames. */
  readonly maxBodyBytes: number;
  /** Throws if the channel is closed. */
  write(frames: Buffer): void;
  /** Called with null once the next message that was written is confirmed, or with an error. */
  expectConfirm(onConfirm: (err: unknown) => void): void;
};

/** What amqplib has inside, in no declaration of its own. */
type Inside = {
  readonly ch: number;
  readonly connection: {
    readonly frameMax: number;
    readonly channels: readonly ({
      readonly channel: unknown;
      readonly buffer: { write(bytes: Buffer): boolean };
    } | null)[];
  };
  pushConfirmCallback(onConfirm: (err: unknown) => void): void;
};

/** Undefined where amqplib is built otherwise than we know it: then it publishes by itself. */
export function rawChannelOf(channel: ConfirmChannel): RawChannel | undefined {
  const inside = channel as unknown as Partial<Inside>;
  const { ch, connection } = inside;
  const slot = ch === undefined ? undefined : connection?.channels[ch];
  const isKnown =
    ch !== undefined &&
    connection !== undefined &&
    slot?.channel === channel &&
    typeof slot.buffer.write === 'function' &&
    typeof inside.pushConfirmCallback === 'function' &&
    Number.isSafeInteger(connection.frameMax);
  if (!isKnown) return undefined;
  return {
    number: ch,
    maxBodyBytes: connection.frameMax - frameOverhead,
    write: (frames) => {
      if (connection.channels[ch]?.channel !== channel) throw new Error('the channel is closed');
      slot.buffer.write(frames);
    },
    expectConfirm: (onConfirm) => inside.pushConfirmCallback?.(onConfirm),
  };
}
