import { inject } from 'vitest';

import { createVhost, runCtl, type Ctl } from './rabbitmq.ts';

export type TestVhost = {
  readonly name: string;
  readonly url: string;
  /** rabbitmqctl on the run's broker. What is changed for all vhosts disturbs other tests. */
  readonly ctl: Ctl;
  drop(): Promise<void>;
};

/** A vhost of one's own on the run's broker: no other test sees its queues. */
export async function createTestVhost(): Promise<TestVhost> {
  const rabbitmq = inject('rabbitmq');
  const ctl: Ctl = (...args) => runCtl(rabbitmq.ctl, args);
  const url = new URL(rabbitmq.baseUrl);
  const name = await createVhost(ctl, decodeURIComponent(url.username));
  url.pathname = `/${encodeURIComponent(name)}`;
  return {
    name,
    url: url.href,
    ctl,
    drop: async () => {
      await ctl('delete_vhost', name);
    },
  };
}
