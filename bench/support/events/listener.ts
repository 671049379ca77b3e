import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** An outside listener, with a queue that gets every event as a message of its own. */
export type Listener = {
  /** Resolves once it has received so many messages. */
  waitFor(count: number): Promise<void>;
  stop(): Promise<void>;
};

const lookEveryMs = 100;

/** Starts one in a process of its own; it gets what is published from now on. */
export async function startListener(brokerUrl: string): Promise<Listener> {
  const child = fork(fileURLToPath(new URL('listen.ts', import.meta.url)), [brokerUrl], {
    execArgv: ['--import', 'tsx'],
  });
  const exited = once(child, 'exit');
  const next = async (): Promise<unknown> => {
    const ended = exited.then(() => Promise.reject(new Error('the listener has ended')));
    const [message] = await Promise.race([once(child, 'message') as Promise<unknown[]>, ended]);
    return message;
  };
  await next();
  return {
    waitFor: async (count) => {
      for (;;) {
        const received = next();
        child.send('count');
        if (Number(await received) >= count) return;
        await sleep(lookEveryMs);
      }
    },
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
