import type { ConfirmChannel } from 'amqplib';

import type { ProgressWatch } from '../../progress/watch.ts';

/** What is reported of a queue that is consumed. */
export type QueueProgress = {
  /** A message has come. */
  begin(): void;
  /** The unacknowledged messages cannot be handled now. */
  hold(reason: string): void;
  /** A batch was acknowledged; `left` messages are still unacknowledged. */
  finish(left: number): void;
  /** It is consumed from now on, over this channel. */
  open(channel: ConfirmChannel, isBusy: () => boolean): void;
  /** The channel is closed: unacknowledged messages go back to the queue. */
  close(): void;
  stop(): void;
};

const defaultLookEveryMs = 5_000;

/**
 * A queue that cannot be consumed counts as work, since its depth is unknown. While no message is
 * unacknowledged, the broker is asked now and then whether it has ready messages.
 */
export function watchQueue(
  queue: string,
  watch: ProgressWatch,
  troubles: {
    readonly consuming: () => string | undefined;
    /** Of dead-lettering: named where handling has reported nothing itself. */
    readonly publishing?: (() => string | undefined) | undefined;
  },
  lookEveryMs = defaultLookEveryMs,
): QueueProgress {
  let isHeld = false;
  const part = watch.watchWork(
    `consumer.${queue}`,
    () => troubles.consuming() ?? (isHeld ? undefined : troubles.publishing?.()),
  );
  let looking: NodeJS.Timeout | undefined;
  let isStopped = false;
  let isAsking = false;
  part.begin();

  const look = async (channel: ConfirmChannel, isBusy: () => boolean): Promise<void> => {
    if (isAsking) {
      part.wait(`the broker does not answer about ${queue}`);
      return;
    }
    isAsking = true;
    // A queue that is gone closes the channel: the session is then built anew.
    const found = await channel.checkQueue(queue).catch(() => undefined);
    isAsking = false;
    if (isStopped || isBusy()) return;
    if (found && found.messageCount > 0) {
      part.wait(`${found.messageCount} messages wait in ${queue}, and the broker delivers none`);
    } else if (found) part.rest();
  };
  const end = (): void => {
    clearInterval(looking);
    isAsking = false;
  };
  return {
    begin: part.begin,
    hold: (reason) => {
      isHeld = true;
      part.wait(`the message at the head of ${queue} waits: ${reason}`);
    },
    finish: (left) => {
      isHeld = false;
      part.advance();
      if (left === 0) part.rest();
    },
    open: (channel, isBusy) => {
      end();
      isHeld = false;
      if (!isBusy()) part.rest();
      looking = setInterval(() => void look(channel, isBusy), lookEveryMs).unref();
    },
    close: () => {
      end();
      if (!isStopped) part.begin();
    },
    stop: () => {
      isStopped = true;
      end();
      part.rest();
    },
  };
}
