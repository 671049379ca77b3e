import type { TestProject } from 'vitest/node';

import { startRabbitMq, type CtlCommand } from './rabbitmq.ts';

declare module 'vitest' {
  interface ProvidedContext {
    rabbitmq: {
      /** AMQP with user and password; the vhost is to be replaced. */
      readonly baseUrl: string;
      readonly ctl: CtlCommand;
    };
  }
}

/**
 * One real RabbitMQ for the run. `TEST_RABBITMQ_URL` names another one to use; its vhosts are then
 * made with `TEST_RABBITMQ_CTL`, for instance "docker exec broker rabbitmqctl" (default:
 * rabbitmqctl). Tests that kill or freeze a broker start one of their own all the same.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const baseUrl = process.env['TEST_RABBITMQ_URL'] ?? '';
  if (baseUrl !== '') {
    const command = (process.env['TEST_RABBITMQ_CTL'] ?? 'rabbitmqctl').split(/\s+/);
    project.provide('rabbitmq', { baseUrl, ctl: { command, env: { ...process.env } } });
    return () => Promise.resolve();
  }
  const broker = await startRabbitMq();
  project.provide('rabbitmq', { baseUrl: broker.url(), ctl: broker.ctlCommand });
  return () => broker.dispose();
}
